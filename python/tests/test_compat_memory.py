"""``ringmail.compat.memory`` by what py-sharedmemory 1.x documents, and by the faults that it is to do without."""

from __future__ import annotations

import queue
import threading
import time
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import pytest

import ringmail
from ringmail.compat.memory import SharedMemoryReceiver, SharedMemorySender, create_shared_memory_pair

from test_values import nested_example, same


def produce(sender: SharedMemorySender, count: int) -> None:
    for number in range(count):
        while not sender.has_space():
            time.sleep(0.001)
        sender.put({"n": number, "a": np.full(1000, number)})
    sender.wait_for_all_ack()


def consume(receiver: SharedMemoryReceiver, count: int, out: SharedMemorySender) -> None:
    out.put([int(receiver.get()["a"].sum()) for _ in range(count)])
    out.wait_for_all_ack()


def test_the_usage_example(context: BaseContext) -> None:
    sender, receiver = create_shared_memory_pair(capacity=5)
    out, sums = create_shared_memory_pair(capacity=1)
    processes = [
        context.Process(target=produce, args=(sender, 30)),  # type: ignore[attr-defined]
        context.Process(target=consume, args=(receiver, 30, out)),  # type: ignore[attr-defined]
    ]
    for process in processes:
        process.start()
    assert sums.get(timeout=30) == [1000 * number for number in range(30)]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0


def test_has_space() -> None:
    sender, receiver = create_shared_memory_pair(2)
    assert sender.capacity == 2
    sender.put(1)
    assert sender.has_space()
    sender.put(2)
    assert not sender.has_space()
    # Waits for room.
    threading.Timer(0.3, receiver.get).start()
    sender.put(3)
    assert [receiver.get(), receiver.get(timeout=3)] == [2, 3]
    assert sender.has_space()


def test_without_a_capacity() -> None:
    sender, receiver = create_shared_memory_pair(0)
    for number in range(500):
        assert sender.has_space()
        sender.put(number)
    assert [receiver.get() for _ in range(500)] == list(range(500))


def test_nothing_there() -> None:
    sender, receiver = create_shared_memory_pair(2)
    assert receiver.get_nowait() is None
    # The first argument is the timeout.
    start = time.monotonic()
    with pytest.raises(queue.Empty):
        receiver.get(0.2)
    assert time.monotonic() - start >= 0.2
    sender.put("there")
    assert receiver.get_nowait() == "there"


def test_none_is_told_from_nothing() -> None:
    sender, receiver = create_shared_memory_pair(2)
    nothing = object()
    sender.put(None)
    assert receiver.get_nowait(default=nothing) is None
    assert receiver.get_nowait(default=nothing) is nothing


def test_the_large_example() -> None:
    value = nested_example()
    sender, receiver = create_shared_memory_pair(1)
    sender.put(value)
    assert same(receiver.get(), value)


def test_floats_can_be_sent_on() -> None:
    sender, receiver = create_shared_memory_pair(1)
    value: Any = 0.1
    for _ in range(2):
        sender.put([value])
        (value,) = receiver.get()
    assert type(value) is float and value == 0.1


@pytest.mark.parametrize("value", [b"", "", np.zeros(0), [], None, np.zeros((3, 0, 2), ">f4")], ids=repr)
def test_empty_values_cost_no_slot(value: Any) -> None:
    sender, receiver = create_shared_memory_pair(1)
    for _ in range(3):
        assert sender.has_space()
        sender.put(value)
        assert not sender.has_space()
        assert same(receiver.get(timeout=1), value)
    sender.wait_for_all_ack()


def test_cycles_depth_and_byte_order() -> None:
    sender, receiver = create_shared_memory_pair(1)
    loop: list[Any] = [1]
    loop.append(loop)
    sender.put(loop)
    got = receiver.get()
    assert got[1] is got
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    sender.put(deep)
    got, depth = receiver.get(), 0
    while got:
        got, depth = got[0], depth + 1
    while deep:
        deep = deep[0]
    assert depth == 100_000
    sender.put(np.arange(3, dtype=">i4"))
    assert receiver.get().dtype == np.dtype(">i4")


def put_for_ever(sender: SharedMemorySender) -> None:
    while True:
        sender.put(b"x" * 3000)


def test_a_killed_producer_is_told(context: BaseContext) -> None:
    sender, receiver = create_shared_memory_pair(3)
    producer = context.Process(target=put_for_ever, args=(sender,))  # type: ignore[attr-defined]
    producer.start()
    receiver.get(timeout=30)
    producer.kill()
    producer.join()
    with pytest.raises(BrokenPipeError):
        while True:
            receiver.get()
    with pytest.raises(BrokenPipeError):
        receiver.get_nowait()
    sender.put("somebody else")
    assert receiver.get_nowait() == "somebody else" and receiver.get_nowait() is None


def get_for_ever(receiver: SharedMemoryReceiver) -> None:
    while True:
        receiver.get()


def test_a_killed_consumer_is_told(context: BaseContext) -> None:
    sender, receiver = create_shared_memory_pair(1)
    consumer = context.Process(target=get_for_ever, args=(receiver,))  # type: ignore[attr-defined]
    consumer.start()
    sender.put(1)
    sender.wait_for_all_ack()
    consumer.kill()
    consumer.join()
    with pytest.raises(ringmail.Disconnected):
        sender.put(2)
        sender.put(3)
    with pytest.raises(ringmail.Disconnected):
        sender.wait_for_all_ack()
    assert receiver.get() == 2


def test_the_end_of_the_stream_is_told_to_who_would_wait_for_ever() -> None:
    sender, receiver = create_shared_memory_pair(2)
    sender.put(1)
    sender.close()
    assert receiver.get() == 1
    with pytest.raises(queue.Empty):
        receiver.get(timeout=0.05)
    assert receiver.get_nowait() is None
    with pytest.raises(ringmail.Disconnected):
        receiver.get()
    receiver.close()
    with pytest.raises(BrokenPipeError):
        receiver.get()
