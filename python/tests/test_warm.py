"""Memory that stays: in the ring, in the receiving process, and what a big `bytes` is copied into."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest

import ringmail

MIB = 1 << 20
#: What stays where nobody says.
SHARE = min(max(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8, 256 * MIB), 4096 * MIB)
ENOUGH = pytest.mark.skipif(SHARE < 400 * MIB, reason="the machine has too little memory for more than 256 MiB to stay")


def committed(**options: int) -> int:
    """Bytes that a queue has after three messages of 100 MiB were under way at once."""
    queue: ringmail.Queue[np.ndarray] = ringmail.Queue(3, **options)  # type: ignore[arg-type]
    value = np.ones(100 * MIB // 4, "f4")
    for _ in range(3):
        queue.put(value)
    for _ in range(3):
        queue.recv().release()
    stays = queue.stats()["committed_bytes"]
    queue.close()
    return int(stays)


@ENOUGH
def test_a_queue_keeps_what_its_messages_took() -> None:
    assert committed() >= 300 * MIB
    # The slots count as well.
    assert committed(retain_bytes=200 * MIB) <= 201 * MIB


@ENOUGH
def test_a_big_buffer_is_used_again() -> None:
    queue: ringmail.Queue[np.ndarray] = ringmail.Queue(1)
    places, others = set(), []
    for number in range(3):
        queue.put(np.full(300 * MIB // 4, number, "f4"))
        got = queue.get()
        assert got[0] == got[-1] == number and (got[:: 4096 // 4] == number).all()
        places.add(got.ctypes.data)
        del got
        # Where it was unmapped, this takes its place.
        others.append(np.empty(300 * MIB, "u1"))
    assert len(places) == 1
    queue.close()


@dataclasses.dataclass
class Step:
    """Only Python understands it."""

    observation: np.ndarray
    mask: np.ndarray


def test_the_arrays_of_a_pickle_get_warm_memory_too() -> None:
    queue: ringmail.Queue[Step] = ringmail.Queue(1)
    places = set()
    for number in range(3):
        mask = np.full(MIB, number, "u1")
        mask.flags.writeable = False
        queue.put(Step(np.full(MIB // 4, number, "f4"), mask))
        got = queue.get()
        assert (got.observation == number).all() and (got.mask == number).all()
        assert got.observation.flags.writeable and not got.mask.flags.writeable
        # The allocator's memory starts behind its own notes.
        assert got.observation.ctypes.data % 4096 == got.mask.ctypes.data % 4096 == 0
        got.observation[:] = -1
        places.add(frozenset((got.observation.ctypes.data, got.mask.ctypes.data)))
        del got
    assert len(places) == 1
    queue.close()


def test_how_much_is_kept_can_be_said() -> None:
    before = ringmail.keep_warm(5 * MIB)
    try:
        assert before == SHARE
        assert ringmail.keep_warm(2**64 - 1) == 5 * MIB
        assert ringmail.keep_warm(0) > SHARE
    finally:
        ringmail.keep_warm(before)


@pytest.mark.parametrize("length", [4 * MIB - 33, 4 * MIB, 4 * MIB + 4097, 9 * MIB + 1])
def test_big_bytes(length: int) -> None:
    queue: ringmail.Queue[bytes | bytearray] = ringmail.Queue(2)
    value = np.random.default_rng(length).bytes(length)
    queue.put(value)
    queue.put(bytearray(value))
    first, second = queue.get(), queue.get()
    assert first == value and second == value and type(second) is bytearray
    queue.close()
