"""Rust and Python at two ends of one ring, in both directions."""

from __future__ import annotations

import datetime
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import ringmail
from hypothesis import given, settings

from test_values import DTYPES, RECORDS, SCALARS, Colour, Plain, Point, filled, nested, nested_example, same

HERE = pathlib.Path(__file__).parent.parent / "interchange"


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Any], Any]]:
    """Sends a value to Rust and returns what comes back."""
    if not shutil.which("cargo") or not HERE.is_dir():
        pytest.skip("needs cargo and the sources")
    target = os.environ.get("CARGO_TARGET_DIR", str(tmp_path_factory.mktemp("target")))
    build = ["cargo", "build", "--quiet", "--manifest-path", str(HERE / "Cargo.toml"), "--target-dir", target]
    subprocess.run(build, check=True)
    names = [f"python-rust-{os.getpid()}-{which}" for which in ("requests", "replies")]
    rings = [ringmail.Ring.create(name, 4, max_message_bytes=1 << 24) for name in names]
    with (
        subprocess.Popen([f"{target}/debug/ringmail-interchange", *names]) as peer,
        rings[0].sender() as sender,
        rings[1].receiver() as receiver,
    ):

        def ask(value: Any) -> Any:
            sender.put(value, timeout=20)
            return receiver.get(timeout=20)

        yield ask
        sender.close()
        assert peer.wait(20) == 0


@pytest.mark.timeout(600)
def test_rust_reads_arrays_and_answers(answer: Callable[[Any], Any]) -> None:
    obs = np.arange(84 * 84, dtype="f4").reshape(84, 84)
    got = answer({"obs": obs, "reward": 1.0})
    assert got["sum"] == obs.sum(dtype="f8")
    assert same(got["value"], {"obs": obs, "reward": 1.0})


@pytest.mark.timeout(600)
def test_every_value_comes_back(answer: Callable[[Any], Any]) -> None:
    values: list[Any] = list(SCALARS)
    values += [filled(dtype, shape) for dtype in DTYPES for shape in ((), (3,), (0, 2), (2, 3, 4))]
    values += [np.zeros(3, dtype) for dtype in RECORDS] + list(map(np.dtype, DTYPES))
    values += [np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.float32(1.5), np.datetime64("2026-01-01")]
    values += [[], (), {}, set(), frozenset(), {1, "a"}, Point(1.0, [Plain(1, ())]), {(1, 2): {None: [True]}}]
    values += [memoryview(b"abc"), memoryview(bytearray(b"x" * 5000)), range(5), np.ma.masked_array([1], [0])]
    for value in values:
        got = answer([value, (value,)])
        assert got["sum"] is None
        if isinstance(value, np.ma.MaskedArray):
            assert got["value"][0].tolist() == value.tolist()
        else:
            assert same(got["value"], [value, (value,)]), value


@pytest.mark.timeout(600)
def test_sharing_comes_back(answer: Callable[[Any], Any]) -> None:
    inner = [1]
    loop: list[Any] = [inner, inner]
    loop.append(loop)
    got = answer(loop)["value"]
    assert got[0] is got[1] and got[2] is got


@pytest.mark.timeout(600)
def test_random_values_come_back(answer: Callable[[Any], Any]) -> None:
    @given(nested())
    @settings(max_examples=100, deadline=None)
    def each(value: Any) -> None:
        assert same(answer([value])["value"], [value])

    each()
    value = nested_example()
    assert same(answer(value)["value"], value)


@pytest.mark.timeout(600)
def test_rust_reads_what_is_around_pickles(answer: Callable[[Any], Any]) -> None:
    obs = np.arange(6, dtype="f4")
    got = answer({"obs": obs, "reward": 1.0, "when": datetime.date(2026, 1, 1), "kind": Colour.RED})
    assert got["sum"] == 15.0 and got["value"]["kind"] is Colour.RED and got["value"]["when"].year == 2026
