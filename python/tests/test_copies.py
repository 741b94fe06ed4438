"""Every byte arrives, and none beside it is touched, where copies go past the caches: of messages of 32 MiB and more."""

from __future__ import annotations

import numpy as np
import pytest

import ringmail

#: From here on they do, in blocks of eight pages.
STREAM = 32 << 20
BLOCK = 32 << 10

NOISE = np.frombuffer(np.random.default_rng(32).bytes(STREAM + BLOCK + 256), "u1")


@pytest.fixture(scope="module")
def queue() -> ringmail.Queue:
    return ringmail.Queue(1)


@pytest.mark.parametrize("more", [-1, 0, 1, 63, BLOCK - 1, BLOCK, BLOCK + 1])
def test_long_messages(queue: ringmail.Queue, more: int) -> None:
    length = STREAM + more
    sent = NOISE[:length].tobytes()
    queue.put(sent)
    assert queue.get() == sent
    # From an odd place, and by a copy that somebody has ready, at any place of a line.
    odd = NOISE[77 : 77 + length]
    out = np.empty(length + 192, "u1")
    for place in (0, 1, 16, 63):
        start = -out.ctypes.data % 64 + 64 + place
        out[start - 64 : start] = 0xA5
        out[start + length : start + length + 1] = 0xA5
        queue.put(odd)
        queue.get_into(out[start : start + length])
        assert np.array_equal(out[start : start + length], odd)
        assert (out[start - 64 : start] == 0xA5).all() and out[start + length] == 0xA5
    queue.put(odd)
    got = queue.get()
    assert np.array_equal(got, odd)
