"""Named rings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import ringmail


@pytest.fixture
def name() -> Iterator[str]:
    name = f"python-test-{os.getpid()}"
    yield name
    try:
        ringmail.Ring.unlink(name)
    except FileNotFoundError:
        pass


def test_names(name: str) -> None:
    with pytest.raises(FileNotFoundError):
        ringmail.Ring.open(name)
    ring = ringmail.Ring.create(name, 8)
    assert name in ringmail.Ring.list()
    with pytest.raises(FileExistsError):
        ringmail.Ring.create(name, 8)
    same = ringmail.Ring.open_or_create(name, 99)
    assert same.capacity == ring.capacity == 8
    with pytest.raises(ValueError, match="name"):
        ringmail.Ring.create("a/b")
    ringmail.Ring.unlink(name)
    assert name not in ringmail.Ring.list()
    with pytest.raises(FileNotFoundError):
        ringmail.Ring.unlink(name)


OTHER = """
import sys, ringmail
sender = ringmail.Ring.open(sys.argv[1]).sender()
for number in range(3):
    sender.put({"n": number})
assert sender.wait_for_all_ack(10)
"""


def test_unrelated_processes(name: str) -> None:
    ring = ringmail.Ring.create(name, 2)
    receiver = ring.receiver()
    with subprocess.Popen([sys.executable, "-c", OTHER, name]) as child:
        assert list(receiver) == [{"n": 0}, {"n": 1}, {"n": 2}]
        assert child.wait(10) == 0
    stats = ring.stats()
    assert stats["sent"] == stats["acked"] == 3 and not stats["closed"]


def test_anonymous_and_descriptors() -> None:
    ring = ringmail.Ring.anonymous(4, redelivery=1)
    other = ringmail.Ring.from_fd(ring.fileno())
    sender, receiver = ring.sender(), other.receiver()
    sender.put(np.arange(4))
    message = receiver.recv()
    message.reject()
    message = receiver.recv()
    assert message.redelivered == 1
    message.reject()
    with pytest.raises(ringmail.Empty):
        receiver.get_nowait()
    assert ring.stats()["dropped"] == 1
    assert ring.recover() == {"participants": 0, "reaped": 0, "returned": 0, "dropped": 0}
    for bad in (-1, 10_000):
        with pytest.raises((OSError, ValueError)):
            ringmail.Ring.from_fd(bad)
    with open("/dev/null", "rb") as null, pytest.raises((OSError, ValueError)):
        ringmail.Ring.from_fd(null.fileno())


def test_too_many_participants(name: str) -> None:
    ring = ringmail.Ring.create(name, 2, participants=1)
    ring.sender()
    code = "import sys, ringmail; ringmail.Ring.open(sys.argv[1]).sender()"
    sender = ring.sender()
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "processes take part already" in done.stderr
    del sender


def test_bad_options() -> None:
    for options in ({"mode": 0o444}, {"spin": -1.0}, {"spin": 5.0}, {"redelivery": 99}, {"participants": 0}):
        with pytest.raises(ValueError):
            ringmail.Ring.create("python-test-bad", 2, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        ringmail.Ring.anonymous(0)


def test_options_are_known_by_name(name: str) -> None:
    ring = ringmail.Ring.create(
        name, 2, max_message_bytes=100_000, participants=3, redelivery=1, keep_open=True, spin=0.0, mode=0o660
    )
    assert ring.max_message_bytes == 100_000
    assert os.fstat(ring.fileno()).st_mode & 0o777 == 0o660
    for make in (lambda **options: ringmail.Ring.create("x", **options), ringmail.Ring.anonymous):
        with pytest.raises(TypeError, match="capacty"):
            make(capacty=3)
        with pytest.raises(TypeError) as caught:
            make(participants="many")
        assert any("participants" in note for note in caught.value.__notes__)
        with pytest.raises(ValueError, match="participants"):
            make(participants=0)
    with pytest.raises(TypeError, match="mode"):
        ringmail.Ring.anonymous(mode=0o600)  # type: ignore[call-arg]
