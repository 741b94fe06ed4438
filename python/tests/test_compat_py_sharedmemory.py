"""``ringmail.compat.py_sharedmemory`` by what py-sharedmemory 4.x documents, and by the faults that it is to do without."""

from __future__ import annotations

import math
import multiprocessing
import os
import queue
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import BaseContext
from typing import Any, NamedTuple

import numpy as np
import pytest

import ringmail
from ringmail.compat.py_sharedmemory import SharedMemoryReceiver, SharedMemorySender, create_shared_memory_pair

from test_values import same


def died(process: Any) -> None:
    """Kills it, without a word."""
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)


def produce(sender: SharedMemorySender) -> None:
    with sender:
        sender.put({"step": 42, "frames": bytearray(200_000)})
        assert sender.wait_for_all_ack(timeout=30)


def test_the_quick_start(context: BaseContext) -> None:
    sender, receiver = create_shared_memory_pair(capacity=2, ctx=context)
    worker = context.Process(target=produce, args=(sender,))  # type: ignore[attr-defined]
    worker.start()
    with receiver:
        batch = receiver.get(timeout=30)
    worker.join(30)
    sender.close()
    assert batch == {"step": 42, "frames": bytearray(200_000)} and worker.exitcode == 0
    assert receiver.closed and sender.closed


def consume(receiver: SharedMemoryReceiver, sums: SharedMemorySender) -> None:
    with sums, receiver:
        while (task := receiver.get(timeout=30)) is not None:
            number, chunk = task
            sums.put((number, int(chunk.sum())))
        sums.wait_for_all_ack(30)


def test_consumers_share_a_receiver_and_each_message_goes_to_one(context: BaseContext) -> None:
    sender, receiver = create_shared_memory_pair(4)
    results = [create_shared_memory_pair(50) for _ in range(2)]
    workers = [
        context.Process(target=consume, args=(receiver, sums)) for sums, _ in results  # type: ignore[attr-defined]
    ]
    for worker in workers:
        worker.start()
    with sender:
        for number in range(40):
            sender.put((number, np.full(1000, number)), timeout=30)
        for _ in workers:
            sender.put(None, timeout=30)
        assert sender.wait_for_all_ack(timeout=30)
    got = []
    for _, sums in results:
        while True:
            try:
                # Without a timeout: ends with the stream.
                got.append(sums.get())
            except BrokenPipeError:
                break
    for worker in workers:
        worker.join(30)
    assert sorted(got) == [(number, 1000 * number) for number in range(40)]


@pytest.mark.parametrize("capacity", [1, 3])
def test_capacity_is_exact(capacity: int) -> None:
    sender, receiver = create_shared_memory_pair(capacity)
    assert sender.capacity == capacity
    for number in range(capacity):
        sender.put_nowait(number)
    for call in (lambda: sender.put_nowait(9), lambda: sender.put(9, False), lambda: sender.put(9, timeout=0),
                 lambda: sender.put(9, timeout=-1), lambda: sender.put(9, timeout=0.05)):  # fmt: skip
        with pytest.raises(queue.Full):
            call()
    assert [receiver.get() for _ in range(capacity)] == list(range(capacity))
    for empty in (receiver.get_nowait, lambda: receiver.get(False), lambda: receiver.get(timeout=0),
                  lambda: receiver.get(timeout=-1), lambda: receiver.get(timeout=0.05)):  # fmt: skip
        with pytest.raises(queue.Empty):
            empty()


@pytest.mark.parametrize("capacity", [0, None])
def test_without_a_capacity(capacity: int | None) -> None:
    sender, receiver = create_shared_memory_pair(capacity)
    for number in range(1000):
        sender.put_nowait(number)
    assert [receiver.get_nowait() for _ in range(1000)] == list(range(1000))


def test_capacities_that_are_none() -> None:
    for wrong in ("1", 1.0, True):
        with pytest.raises(TypeError, match="capacity"):
            create_shared_memory_pair(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="negative"):
        create_shared_memory_pair(-1)


def test_what_was_got_leaves_its_room_at_once() -> None:
    """With acknowledgements that travel through a thread, this is Full again and again."""
    sender, receiver = create_shared_memory_pair(1)
    for number in range(500):
        sender.put_nowait(number)
        assert receiver.get() == number


def test_acknowledgement() -> None:
    sender, receiver = create_shared_memory_pair(3)
    assert sender.wait_for_all_ack() and sender.wait_for_all_ack(timeout=0)
    sender.put("a")
    assert not sender.wait_for_all_ack(timeout=0) and not sender.wait_for_all_ack(timeout=0.05)
    threading.Timer(0.3, receiver.get).start()
    assert sender.wait_for_all_ack(timeout=math.inf)


def test_timeouts() -> None:
    sender, receiver = create_shared_memory_pair(1)
    for call in (lambda: sender.put(1, timeout=math.nan), lambda: receiver.get(timeout=math.nan),
                 lambda: receiver.get(False, math.nan), lambda: sender.wait_for_all_ack(timeout=math.nan)):  # fmt: skip
        with pytest.raises(ValueError, match="timeout"):
            call()
    for forever in (None, math.inf):
        threading.Timer(0.3, sender.put, ("late",)).start()
        assert receiver.get(timeout=forever) == "late"
        sender.put("first")
        threading.Timer(0.3, receiver.get).start()
        sender.put("second", timeout=forever)
        assert receiver.get(timeout=10) == "second"
    start = time.monotonic()
    with pytest.raises(queue.Empty):
        receiver.get(timeout=0.4)
    assert time.monotonic() - start >= 0.4


class Point(NamedTuple):
    x: int
    y: np.ndarray


def test_values_are_independent_copies() -> None:
    sender, receiver = create_shared_memory_pair(4)
    readonly = np.arange(50_000)
    readonly.flags.writeable = False
    value = {"w": np.ones(50_000), "r": readonly, "f": np.asfortranarray(np.eye(300)), "p": Point(1, np.zeros(0)), "b": b""}
    sender.put(value)
    value["w"][0] = 5  # type: ignore[index]
    got = receiver.get()
    value["w"][0] = 1  # type: ignore[index]
    assert same(got, value) and got["f"].flags.f_contiguous and got["w"].ctypes.data % 64 == 0
    sender.put("again")
    receiver.close()
    sender.close()
    got["w"][:] = 2
    assert got["w"].sum() == 100_000
    strided = np.arange(100_000)[::3]
    other, end = create_shared_memory_pair(1)
    other.put(strided)
    received = end.get()
    assert np.array_equal(received, strided) and received.flags.c_contiguous


class Unpicklable:
    def __reduce__(self) -> Any:
        raise RuntimeError("not today")


def explode() -> None:
    raise KeyError("on arrival")


class Exploding:
    def __reduce__(self) -> Any:
        return explode, ()


def test_errors_of_pickling_leave_both_ends_usable() -> None:
    sender, receiver = create_shared_memory_pair(1)
    with pytest.raises(RuntimeError, match="not today"):
        sender.put(Unpicklable())
    with pytest.raises(Exception, match="lambda"):
        sender.put(lambda: 1)
    sender.put_nowait(Exploding())
    with pytest.raises(KeyError):
        receiver.get()
    assert sender.wait_for_all_ack(timeout=10)
    sender.put_nowait("fine")
    assert receiver.get() == "fine"


def test_closed_ends() -> None:
    sender, receiver = create_shared_memory_pair(2)
    sender.close()
    sender.close()
    for call in (lambda: sender.put(1), lambda: sender.put_nowait(1), sender.wait_for_all_ack, sender.__enter__):
        with pytest.raises(BrokenPipeError):
            call()
    receiver.close()
    receiver.close()
    for call in (receiver.get, receiver.get_nowait, receiver.__enter__):
        with pytest.raises(BrokenPipeError):
            call()


def test_closing_one_end_leaves_the_other_usable() -> None:
    sender, receiver = create_shared_memory_pair(2)
    sender.put("before")
    sender.close()
    assert receiver.get() == "before"
    sender, receiver = create_shared_memory_pair(2)
    receiver.close()
    sender.put_nowait("into the blue")
    sender.put_nowait("and more")
    with pytest.raises(queue.Full):
        sender.put("too much", timeout=0.05)
    sender.close()


def test_close_wakes_whoever_waits() -> None:
    sender, receiver = create_shared_memory_pair(1)
    sender.put("full")
    full, drained = create_shared_memory_pair(1)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(sender.put, "x"), pool.submit(sender.wait_for_all_ack), pool.submit(drained.get)]
        time.sleep(0.2)
        assert not any(future.done() for future in waiting)
        sender.close()
        drained.close()
        for future in waiting:
            with pytest.raises(BrokenPipeError):
                future.result(timeout=20)
    full.close()


def put_and_leave(sender: SharedMemorySender, *values: object) -> None:
    for value in values:
        sender.put(value)


def test_nothing_unread_is_lost_when_the_producer_ends(context: BaseContext) -> None:
    """Nor does it warn, and another producer may follow."""
    sender, receiver = create_shared_memory_pair(8)
    for round_ in range(2):
        producer = context.Process(target=put_and_leave, args=(sender, round_, np.arange(50_000)))  # type: ignore[attr-defined]
        producer.start()
        producer.join(30)
        assert producer.exitcode == 0
    for round_ in range(2):
        assert receiver.get_nowait() == round_ and receiver.get_nowait().shape == (50_000,)
    with pytest.raises(queue.Empty):
        receiver.get(timeout=0.05)
    with pytest.raises(ringmail.Disconnected):
        receiver.get()


def put_for_ever(sender: SharedMemorySender) -> None:
    while True:
        sender.put(np.zeros(3000))


def test_a_killed_producer_is_told_and_may_be_replaced(context: BaseContext) -> None:
    sender, receiver = create_shared_memory_pair(3)
    for _ in range(2):
        producer = context.Process(target=put_for_ever, args=(sender,))  # type: ignore[attr-defined]
        producer.start()
        # A predecessor's death is told until somebody takes its place.
        end = time.monotonic() + 30
        while True:
            try:
                receiver.get(timeout=30)
                break
            except BrokenPipeError:
                assert time.monotonic() < end
        died(producer)
        with pytest.raises(ringmail.Disconnected):
            while True:
                receiver.get()
        for call in (receiver.get_nowait, lambda: receiver.get(timeout=5)):
            with pytest.raises(BrokenPipeError):
                call()


def take(receiver: SharedMemoryReceiver, count: int, told: SharedMemorySender) -> None:
    for _ in range(count):
        told.put(receiver.get())


def test_a_consumer_that_leaves_in_order_is_no_end(context: BaseContext) -> None:
    """A pool replaces its workers after some messages; a put in between waits for the next."""
    sender, receiver = create_shared_memory_pair(1)
    told, results = create_shared_memory_pair(8)

    def consumer() -> Any:
        process = context.Process(target=take, args=(receiver, 2, told))  # type: ignore[attr-defined]
        process.start()
        return process

    first = consumer()
    for number in range(3):
        sender.put(number, timeout=30)
    first.join(30)
    with pytest.raises(queue.Full):
        sender.put(3, timeout=0.1)
    assert not sender.wait_for_all_ack(timeout=0.1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(sender.put, 3)
        second = consumer()
        waiting.result(timeout=30)
    assert sender.wait_for_all_ack(timeout=30)
    second.join(30)
    assert [results.get(timeout=10) for _ in range(4)] == [0, 1, 2, 3]


def get_for_ever(receiver: SharedMemoryReceiver) -> None:
    while True:
        receiver.get()


def test_a_killed_consumer_is_told_and_what_it_did_not_get_stays(context: BaseContext) -> None:
    sender, receiver = create_shared_memory_pair(2)
    consumer = context.Process(target=get_for_ever, args=(receiver,))  # type: ignore[attr-defined]
    consumer.start()
    sender.put("one", timeout=30)
    assert sender.wait_for_all_ack(timeout=30)
    died(consumer)
    with pytest.raises(ringmail.Disconnected):
        for _ in range(3):
            sender.put("unread")
    with pytest.raises(ringmail.Disconnected):
        sender.wait_for_all_ack()
    assert [receiver.get(), receiver.get()] == ["unread", "unread"] and sender.wait_for_all_ack()


def test_ends_travel_through_a_pipe() -> None:
    sender, receiver = create_shared_memory_pair(2)
    sender.put("used before it was passed on")
    here, there = multiprocessing.Pipe()
    here.send((sender, receiver))
    other, end = there.recv()
    other.put("second")
    assert other.capacity == 2 and [end.get(), end.get()] == ["used before it was passed on", "second"]
    for each in (sender, receiver, other, end):
        each.close()
    with pytest.raises(ValueError, match="passed on"):
        here.send(sender)


def test_a_message_over_2_gb_has_room() -> None:
    sender, _ = create_shared_memory_pair(5)
    assert sender._sender.max_message_bytes == 16 << 30
    sender, _ = create_shared_memory_pair(1, max_message_bytes=3 << 30)
    assert sender._sender.max_message_bytes == 3 << 30
    # As many pairs as an application has actors.
    pairs = [create_shared_memory_pair(4) for _ in range(100)]
    assert len(pairs) == 100


def test_a_pair_has_no_thread_and_few_descriptors() -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    sender, receiver = create_shared_memory_pair(4)
    sender.put(1)
    receiver.get()
    assert threading.active_count() == threads and len(os.listdir("/proc/self/fd")) - descriptors <= 3
