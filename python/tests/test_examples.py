"""The examples do what they say."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def run(*command: object) -> str:
    words = [sys.executable, str(EXAMPLES / str(command[0])), *map(str, command[1:])]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=170)
    # Whatever they assert at their end holds.
    assert done.returncode == 0
    return done.stdout


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.timeout(180)
def test_actor_learner(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "returns.svg"
    said = run("actor_learner.py", 40, 4, file)
    assert said.count("mean return") == 4
    assert "<svg" in file.read_text(encoding="utf-8")


@pytest.mark.timeout(180)
def test_share_array() -> None:
    run("share_array.py", 50, 2)


@pytest.mark.timeout(180)
def test_camera(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "sheet.png"
    assert "48 frames" in run("camera.py", 48, file)
    sheet = read_png(file.read_bytes())
    assert sheet.shape == (4 * 135, 6 * 480, 3)
    for row in range(4):
        for column in range(6):
            picture = sheet[135 * row :, 480 * column :][:135, :480].astype(int)
            frame, edges = picture[:, :240], picture[:, 240:]
            # The ball is there, and what is found of it are its edges.
            ball = (frame[..., 0] > 200) & (frame[..., 2] < 100)
            assert 100 < ball.sum() < 400
            assert (edges[ball] > 80).any() and (edges[..., 0] == edges[..., 1]).all() and np.median(edges) < 20


def read_png(data: bytes) -> np.ndarray:
    """An image as the example writes it: 8 bits, RGB, rows without a filter. Every checksum is checked."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    place, chunks = 8, {}
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind], place = body, place + 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0] and list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), "u1").reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


@pytest.mark.timeout(180)
def test_executor() -> None:
    said = run("executor.py", 8, 2)
    # Image 0 has nothing beyond the first level.
    assert "image   0: [2073600       0" in said and said.count("image") == 8


@pytest.mark.timeout(600)
def test_from_rust() -> None:
    if not shutil.which("cargo") or not (EXAMPLES.parent / "interchange").is_dir():
        pytest.skip("needs cargo and the sources")
    assert "100,000 points about [ 24. -24.  12.]" in run("from_rust.py", 30)


def test_our_cart_pole_is_that_of_gymnasium() -> None:
    gymnasium = pytest.importorskip("gymnasium", reason="Gymnasium is not installed")
    example = module("actor_learner")
    ours, theirs = example.CartPole(), gymnasium.make("CartPole-v1", max_episode_steps=example.HORIZON)
    rng = np.random.default_rng(0)
    ends = set()
    for _ in range(20):
        ours.reset(seed=1)
        theirs.reset(seed=1)
        theirs.unwrapped.state = ours.state
        over = False
        while not over:
            # Against the fall, so that some last to the end.
            action = int(ours.state[2] + 0.3 * ours.state[3] > 0) if len(ends) % 2 else int(rng.integers(2))
            obs, reward, fallen, late, _ = ours.step(action)
            other, other_reward, *others, _ = theirs.step(action)
            assert np.allclose(obs, other, rtol=1e-5, atol=1e-6) and obs.dtype == other.dtype
            assert (reward, fallen, late) == (other_reward, *others)
            over = fallen or late
        ends.add((fallen, late))
    assert {(True, False), (False, True)} <= ends
