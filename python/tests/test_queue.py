"""``Queue`` by the documented behaviour of ``multiprocessing.Queue``, and what it adds."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import pickle
import queue as std
import shutil
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import ringmail


def test_first_in_first_out() -> None:
    queue: ringmail.Queue[int] = ringmail.Queue()
    for number in range(3000):
        queue.put(number)
    assert queue.qsize() == 3000
    assert [queue.get() for _ in range(3000)] == list(range(3000))
    assert queue.empty() and queue.qsize() == 0


def test_maxsize_is_exact() -> None:
    queue: ringmail.Queue = ringmail.Queue(3)
    assert queue.maxsize == 3 and not queue.full()
    for number in range(3):
        queue.put_nowait(number)
    assert queue.full() and queue.qsize() == 3
    with pytest.raises(std.Full):
        queue.put_nowait(3)
    with pytest.raises(ringmail.Full):
        queue.put(3, False)
    start = time.monotonic()
    with pytest.raises(std.Full):
        queue.put(3, True, 0.1)
    assert time.monotonic() - start > 0.09
    assert queue.get() == 0
    queue.put(3, timeout=1)
    assert [queue.get_nowait() for _ in range(3)] == [1, 2, 3]


def test_empty() -> None:
    queue: ringmail.Queue = ringmail.Queue(3)
    for call in (queue.get_nowait, lambda: queue.get(False), lambda: queue.get(block=False, timeout=9),
                 lambda: queue.get(timeout=0), lambda: queue.get(timeout=-1)):  # fmt: skip
        with pytest.raises(std.Empty):
            call()
    start = time.monotonic()
    with pytest.raises(ringmail.Empty):
        queue.get(timeout=0.12)
    assert time.monotonic() - start > 0.1
    with pytest.raises(ValueError, match="timeout"):
        queue.get(timeout=float("nan"))


def test_infinite_timeout_waits() -> None:
    queue: ringmail.Queue = ringmail.Queue(3)
    threading.Timer(0.2, queue.put, ("late",)).start()
    assert queue.get(timeout=float("inf")) == "late"


def test_close() -> None:
    queue: ringmail.Queue = ringmail.Queue(3)
    with pytest.raises(AssertionError):
        queue.join_thread()
    queue.put(1)
    queue.cancel_join_thread()
    queue.close()
    queue.close()
    queue.join_thread()
    for call in (lambda: queue.put(1), queue.get, queue.qsize, queue.empty, queue.full):
        with pytest.raises(ValueError, match="closed"):
            call()
    with pytest.raises(ValueError):
        pickle.dumps(queue)


def test_a_waiting_get_lets_other_threads_run() -> None:
    queue: ringmail.Queue = ringmail.Queue(1)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(queue.get()))
    thread.start()
    time.sleep(0.1)
    queue.put("x")
    thread.join(5)
    assert got == ["x"]


def test_a_waiting_put_lets_other_threads_run() -> None:
    queue: ringmail.Queue = ringmail.Queue(1)
    queue.put(1)
    thread = threading.Thread(target=queue.put, args=(np.zeros(100_000),))
    thread.start()
    time.sleep(0.1)
    assert queue.get() == 1
    assert queue.get(timeout=5).shape == (100_000,)
    thread.join(5)


def test_threads_on_both_sides() -> None:
    queue: ringmail.Queue[int] = ringmail.Queue(7)
    totals: list[int] = []

    def consume() -> None:
        total = 0
        while (number := queue.get()) >= 0:
            total += number
        totals.append(total)

    def produce(start: int) -> None:
        for number in range(start, start + 2000):
            queue.put(number)

    consumers = [threading.Thread(target=consume) for _ in range(3)]
    producers = [threading.Thread(target=produce, args=(start,)) for start in (0, 2000, 4000)]
    for thread in consumers + producers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        queue.put(-1)
    for thread in consumers:
        thread.join()
    assert sum(totals) == sum(range(6000))


def test_many() -> None:
    queue: ringmail.Queue = ringmail.Queue(5)
    assert queue.put_many(range(9), timeout=0) == 5
    assert queue.put_many([], block=False) == 0
    with pytest.raises(std.Full):
        queue.put_many([1], block=False)
    assert queue.get_many(3) == [0, 1, 2]
    assert queue.get_many(100, timeout=1) == [3, 4]
    with pytest.raises(std.Empty):
        queue.get_many(1, block=False)
    assert queue.get_many(0) == []


def test_get_many_keeps_what_came_before_an_error() -> None:
    queue: ringmail.Queue = ringmail.Queue(5, allow_pickle=False)
    queue.put_many([1, 2, object(), 3])
    with pytest.raises(pickle.UnpicklingError) as told:
        queue.get_many(10)
    assert told.value.received == [1, 2]  # type: ignore[attr-defined]
    assert queue.get_many(10) == [3]


def test_too_large_names_the_option() -> None:
    queue: ringmail.Queue = ringmail.Queue(2, max_message_bytes=100_000)
    with pytest.raises(ValueError, match="max_message_bytes"):
        queue.put(bytes(100_001))
    queue.put(bytes(99_000))
    assert len(queue.get()) == 99_000


def test_defaults_have_room() -> None:
    queue: ringmail.Queue = ringmail.Queue()
    assert queue.capacity == 4096 and queue.max_message_bytes == 16 << 30
    assert ringmail.Queue(4).max_message_bytes == 16 << 30
    assert all(end.max_message_bytes == 16 << 30 for end in ringmail.pair(4))
    assert ringmail.Ring.anonymous(4).max_message_bytes == 16 << 30
    many = [ringmail.Queue() for _ in range(30)]
    assert all(queue.empty() for queue in many)
    more = [ringmail.Queue(4) for _ in range(70)]
    more[-1].put(b"as good as the first")
    assert more[-1].get() == b"as good as the first"


def test_a_message_longer_than_a_slots_share_of_the_room() -> None:
    """Which is 102 MiB for each of 4096."""
    queue: ringmail.Queue = ringmail.Queue(retain_bytes=0)
    stats = queue.stats()
    room = stats["segment_bytes"] // 2 // 5120
    assert 100 << 20 < room < 110 << 20
    for length in (room - 4096, room + 1, 2 * room + 4096):
        array = np.zeros(length, "u1")
        array[:: 1 << 16] = 7
        array[-1] = 9
        queue.put(array)
        del array
        assert queue.stats()["in_use_bytes"] - stats["in_use_bytes"] >= length
        queue.put("short")
        got = queue.get()
        assert got.shape == (length,) and got[-1] == 9 and got[:-1].sum() == 7 * len(got[: -1 : 1 << 16])
        del got
        assert queue.get() == "short"
        assert queue.stats()["committed_bytes"] == stats["committed_bytes"]


def test_bad_sizes_are_value_errors() -> None:
    with pytest.raises(ValueError, match="capacity"):
        ringmail.Queue(1 << 30, max_message_bytes=10_000)
    with pytest.raises(ValueError, match="max_len"):
        ringmail.Queue(1, max_message_bytes=1 << 50)
    with pytest.raises(TypeError):
        ringmail.Queue("3")  # type: ignore[arg-type]


def test_one_copy_of_what_changes_later() -> None:
    queue: ringmail.Queue = ringmail.Queue(2)
    array = np.ones(1000)
    queue.put(array)
    array[:] = 2
    got = queue.get()
    assert got.sum() == 1000
    got[:] = 3
    assert got.flags.writeable and got.base is None


def test_get_into() -> None:
    queue: ringmail.Queue = ringmail.Queue(4)
    value = np.arange(200_000, dtype="f4").reshape(2, -1)
    out = np.empty_like(value)
    queue.put(value)
    assert queue.get_into(out) is out and np.array_equal(out, value)
    queue.put(value)
    fortran = np.empty(value.shape, "f4", order="F")
    queue.get_into(fortran)
    assert np.array_equal(fortran, value)
    queue.put(value)
    with pytest.raises(ValueError, match="shape"):
        queue.get_into(np.empty(3, "f4"))
    with pytest.raises(ValueError, match="dtype"):
        queue.get_into(np.empty(value.shape, "f8"))
    out.flags.writeable = False
    with pytest.raises(BufferError):
        queue.get_into(out)
    with pytest.raises(TypeError):
        queue.get_into(bytearray(10))  # type: ignore[arg-type]
    assert np.array_equal(queue.get(), value), "what did not fit is still there"


def test_warm_buffers_are_used_again() -> None:
    queue: ringmail.Queue = ringmail.Queue(2)
    value = np.arange(1_000_000)
    places = set()
    for _ in range(8):
        queue.put(value)
        got = queue.get()
        places.add(got.ctypes.data)
        got[0] = -1
        del got
    assert len(places) == 1
    queue.put(value)
    first = queue.get()
    queue.put(value)
    second = queue.get()
    assert first.ctypes.data != second.ctypes.data and first[0] == second[0] == 0
    before = ringmail.keep_warm(0)
    ringmail.keep_warm(before)


def pages() -> int:
    """Of memory that this process has."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1])


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def not_leaking(rounds: Callable[[int], None], count: int, warm_up: int) -> None:
    """Neither descriptors nor memory, over so many rounds."""
    rounds(warm_up)
    # What tests before this one left to the collector is not ours to count.
    gc.collect()
    before, fds = pages(), descriptors()
    rounds(count)
    gc.collect()
    assert descriptors() <= fds
    assert pages() - before < 2000, "more than 8 MB"


def test_nothing_is_leaked() -> None:
    """Over 100,000 messages and the making of 50 queues."""
    queue: ringmail.Queue = ringmail.Queue(8)
    value = {"obs": np.zeros(2000, "f4"), "reward": 1.0, "info": ["x", (1, b"y" * 2000)]}

    def rounds(count: int) -> None:
        for _ in range(count):
            queue.put(value)
            queue.get()

    def queues(count: int) -> None:
        for _ in range(count):
            other: ringmail.Queue = ringmail.Queue(8)
            other.put(1)
            other.get()
            other.close()

    not_leaking(rounds, 100_000, 5000)
    not_leaking(queues, 50, 5)


def in_place(count: int) -> None:
    sender, receiver = ringmail.pair(2)
    out = np.empty(3000, "f4")
    for _ in range(count):
        with sender.loan(3000, "f4") as frame:
            frame[:] = 1
        with receiver.recv() as message:
            message.value()
            message.raw()
        with pytest.raises(ZeroDivisionError), sender.loan(3000, "f4"):
            raise ZeroDivisionError
        sender.put(frame)
        receiver.get_into(out)
        sender.put([1])
        receiver.recv().reject()
        receiver.get()


def pickled(count: int) -> None:
    queue: ringmail.Queue = ringmail.Queue(2)
    inner = [np.zeros(3000)]
    alone, parts = np.ma.masked_array(inner[0]), [Fraction(1, 3), inner, Decimal(2)]
    together = [Namespace(inner=inner), Namespace(inner=inner), memoryview(b"abc")]
    for _ in range(count):
        for value in (alone, parts, together):
            queue.put(value)
            queue.get()
        with pytest.raises((pickle.PicklingError, AttributeError)):
            queue.put([together, lambda: None])


def awaited(count: int) -> None:
    queue: ringmail.Queue = ringmail.Queue(1)

    async def main() -> None:
        for number in range(count):
            getter = asyncio.ensure_future(queue.aget())
            await asyncio.sleep(0)
            await queue.aput(number)
            assert await getter == number
            with pytest.raises(std.Empty):
                await queue.aget(timeout=0)

    asyncio.run(main())


def pairs(count: int) -> None:
    for number in range(count // 20):
        sender, receiver = ringmail.pair(2)
        sender.put(number)
        with receiver, sender:
            assert receiver.get() == number


def refused(count: int) -> None:
    sender, receiver = ringmail.pair(2, allow_pickle=False)
    for _ in range(count):
        sender.put(Fraction(1, 3))
        sender.send(b"no value")
        with pytest.raises(pickle.UnpicklingError):
            receiver.get()
        with pytest.raises(ValueError):
            receiver.get()


@pytest.mark.parametrize("rounds", [in_place, pickled, awaited, pairs, refused], ids=lambda rounds: rounds.__name__)
def test_nothing_else_is_leaked(rounds: Callable[[int], None]) -> None:
    not_leaking(rounds, 1500, 300)


def test_copies_let_other_threads_run() -> None:
    """While 500 MB are put and got, a thread goes on: it is never kept for most of a call, but by whoever else is on this machine."""
    queue: ringmail.Queue = ringmail.Queue(2)
    array = np.zeros(500 << 20, "u1")
    ended = threading.Event()
    longest = [0.0]

    def look_at_the_clock() -> None:
        last = time.monotonic()
        while not ended.is_set():
            now = time.monotonic()
            longest[0], last = max(longest[0], now - last), now

    def kept(call: Callable[[], object]) -> float:
        longest[0], start = 0.0, time.monotonic()
        call()
        return longest[0] / (time.monotonic() - start)

    thread = threading.Thread(target=look_at_the_clock)
    thread.start()
    try:
        shares = [(kept(lambda: queue.put(array)), kept(queue.get)) for _ in range(6)]
    finally:
        ended.set()
        thread.join()
    assert min(put for put, _ in shares) < 0.6 and min(get for _, get in shares) < 0.6, shares


@pytest.mark.parametrize("size", [int(2.2 * (1 << 30)), int(4.3 * (1 << 30))], ids=["2.2 GiB", "4.3 GiB"])
def test_lengths_beyond_32_bits(size: int) -> None:
    """In place both ways, so that the message is there once."""
    with open("/proc/meminfo") as meminfo:
        available = next(int(line.split()[1]) << 10 for line in meminfo if line.startswith("MemAvailable"))
    if available < 10 << 30:
        pytest.skip("wants 10 GiB of memory")
    sender, receiver = ringmail.pair(1, retain_bytes=0)
    marks = [0, 1 << 20, (1 << 31) - 1, 1 << 31, size - 1] + ([(1 << 32) - 1, 1 << 32] if size > 1 << 32 else [])
    with sender.loan(size, "u1") as frame:
        frame[marks] = np.arange(1, len(marks) + 1)
    with receiver.recv() as message:
        assert message.nbytes > size
        array = message.array()
        assert array.shape == (size,) and array[marks].tolist() == list(range(1, len(marks) + 1))
        assert array[2 << 20 : 3 << 20].max() == 0
        del array
    assert sender.qsize() == 0


def test_stats() -> None:
    queue: ringmail.Queue = ringmail.Queue(4)
    queue.put(1)
    stats = queue.stats()
    assert stats["capacity"] == 4 and stats["backlog"] == 1 and stats["participants"][0]["pid"] == os.getpid()


SMALL_SHM = """
import numpy as np, ringmail
ring = ringmail.Ring.create("small", 4, max_message_bytes=1 << 30)
with ring.sender() as sender, ring.receiver() as receiver:
    for _ in range(3):
        try:
            sender.put(np.zeros(64 << 20, "u1"))
        except OSError as error:
            assert error.errno == 28, error
        else:
            raise AssertionError("64 MB in 16")
        sender.put("small")
        assert receiver.get() == "small"
    sender.put(np.ones(4 << 20, "u1"))
    assert receiver.get().sum() == 4 << 20
try:
    ringmail.Ring.create("big", 100_000)
except OSError as error:
    assert error.errno == 28, error
"""


def test_no_address_space_is_enomem() -> None:
    """Of which a ring takes much, and shared memory is not full then."""
    rings: list[ringmail.Ring] = []
    with pytest.raises(OSError, match="address space") as caught:
        for _ in range(200):
            rings.append(ringmail.Ring.anonymous(1, max_message_bytes=16 << 30))
    assert caught.value.errno == errno.ENOMEM
    rings.pop()
    rings.append(ringmail.Ring.anonymous(1, max_message_bytes=16 << 30))
    # What was raised keeps this function's variables, until the collector comes by.
    rings.clear()


def test_no_memory_is_enospc_and_the_ring_goes_on() -> None:
    """In a /dev/shm of 16 MB of its own."""
    mount = "mount -t tmpfs -o size=16m none /dev/shm && exec \"$0\" \"$@\""
    own = ["unshare", "--mount", "sh", "-c", mount]
    if not shutil.which("unshare") or subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("no mounts of one's own here")
    subprocess.run([*own, sys.executable, "-c", SMALL_SHM], check=True, timeout=50)


def test_a_with_statement_closes_it() -> None:
    with ringmail.Queue[int](2) as queue:
        queue.put(1)
        assert queue.get() == 1 and not queue.closed
    assert queue.closed
    with pytest.raises(ValueError, match="closed"):
        queue.put(2)
