"""``ringmail.compat.faster_fifo`` by what faster-fifo documents, and by the faults that it is to do without."""

from __future__ import annotations

import importlib
import inspect
import json
import math
import os
import queue as std
import subprocess
import sys
import threading
import time
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import pytest

import ringmail
from ringmail.compat import faster_fifo
from ringmail.compat.faster_fifo import Empty, Full, Queue


def test_the_usage_example() -> None:
    queue = Queue(1000 * 1000)
    value = dict(a=42, b=33, c=(1, 2, 3), d=[1, 2, 3], e="123", f=b"kkk")
    queue.put(value)
    assert queue.qsize() == 1
    retrieved = queue.get()
    assert queue.empty() and value == retrieved
    for _ in range(100):
        queue.put(value, timeout=0.1)
    received = 0
    while received < 100:
        messages = queue.get_many(max_messages_to_get=30)
        assert 1 <= len(messages) <= 30 and all(message == value for message in messages)
        received += len(messages)
    with pytest.raises(Empty):
        queue.get(timeout=0.1)


def test_full_and_empty_are_those_of_the_standard_library() -> None:
    assert Full is std.Full and Empty is std.Empty
    queue = Queue(1000, maxsize=3)
    for call in (queue.get_nowait, queue.get_many_nowait, lambda: queue.get(False), lambda: queue.get(timeout=0),
                 lambda: queue.get_many(timeout=0.05), lambda: queue.get_many(block=False, max_messages_to_get=5)):  # fmt: skip
        with pytest.raises(std.Empty):
            call()
    queue.put_many([1, 2])
    queue.put_nowait(3)
    assert queue.full() and not queue.empty() and queue.qsize() == 3
    for put in (lambda: queue.put_nowait(4), lambda: queue.put(4, False), lambda: queue.put(4, timeout=0.05),
                lambda: queue.put_many_nowait([4, 5]), lambda: queue.put_many((4,), timeout=0.05)):  # fmt: skip
        with pytest.raises(std.Full):
            put()
    assert queue.get_many() == [1, 2, 3] and not queue.full()


def test_put_many() -> None:
    queue = Queue(1000, maxsize=4)
    queue.put_many([])
    queue.put_many((1, 2))
    with pytest.raises(Full, match="2 of 3") as told:
        queue.put_many_nowait([3, 4, 5])
    assert told.value.sent == 2  # type: ignore[attr-defined]
    with pytest.raises(Full) as told:
        queue.put_many([5], timeout=0.05)
    assert told.value.sent == 0  # type: ignore[attr-defined]
    assert queue.get_many_nowait() == [1, 2, 3, 4]
    for wrong in ("abc", {1: 2}, iter([1])):
        with pytest.raises(faster_fifo.QueueError, match="list"):
            queue.put_many(wrong)  # type: ignore[arg-type]
    # More than fit at once, while somebody takes them.
    thread = threading.Thread(target=queue.put_many, args=(list(range(50)),))
    thread.start()
    got: list[int] = []
    while len(got) < 50:
        got += queue.get_many()
    thread.join()
    assert got == list(range(50))


def test_the_default_timeout_is_ten_seconds_and_none_is_for_ever() -> None:
    for name in ("put", "put_many", "get", "get_many"):
        assert inspect.signature(getattr(Queue, name)).parameters["timeout"].default == 10.0
    queue = Queue(maxsize=1)
    for forever in (None, math.inf):
        threading.Timer(0.3, queue.put, ("late",)).start()
        assert queue.get(timeout=forever) == "late"
        threading.Timer(0.3, queue.put, ("late",)).start()
        assert queue.get_many(timeout=forever) == ["late"]
        queue.put(1)
        threading.Timer(0.3, queue.get).start()
        queue.put(2, timeout=forever)
        threading.Timer(0.3, queue.get).start()
        queue.put_many([3], timeout=forever)
        assert queue.get() == 3


def test_sizes() -> None:
    queue = Queue()
    assert queue.max_size_bytes == 1_000_000 and queue.maxsize == 1_000_000_000
    # As many messages as there are shares of 256 bytes.
    for number in range(3906):
        queue.put_nowait(number)
    assert queue.full()
    with pytest.raises(Full):
        queue.put_nowait(0)
    assert queue.get_many() == list(range(3906))
    for size, slots in ((1, 64), (1_000_000, 3906), (100_000_000, 32768), (16 << 30, 32768)):
        assert faster_fifo._slots(size, 10**9) == slots
    # Made, and with room for a message of its whole size.
    Queue(8_000_000_000)
    for wrong in ((0,), (-1,), (1000, 0)):
        with pytest.raises(ValueError, match="maxsize"):
            Queue(*wrong)


def test_a_message_longer_than_the_queue_is_sent() -> None:
    queue = Queue(1000)
    value = np.arange(1_000_000)
    queue.put(value, timeout=0)
    assert np.array_equal(queue.get(), value)
    queue.put(bytes((64 << 20) + 1))
    assert len(queue.get()) == (64 << 20) + 1


def test_a_big_queue_takes_little_memory() -> None:
    before = memory()
    queue = Queue(500_000_000)
    assert memory() - before < 64 << 20
    queue.put(np.ones(1000))
    assert queue.get().sum() == 1000


def memory() -> int:
    """Bytes that this process has, shared ones included."""
    with open("/proc/self/status", encoding="ascii") as status:
        words = dict(line.split(":", 1) for line in status)
    return sum(int(words[name].split()[0]) for name in ("RssAnon", "RssShmem")) * 1024


def test_arrays_keep_their_byte_order() -> None:
    queue = Queue()
    for dtype in (">f4", "<i8", ">M8[s]", "S3"):
        queue.put(np.zeros(3, dtype))
        assert queue.get().dtype.str == np.dtype(dtype).str


def packed(value: Any) -> bytes:
    return json.dumps(value).encode()


def unpacked(data: Any) -> Any:
    assert isinstance(data, memoryview)
    return json.loads(data.tobytes())


class Json(Queue):
    def loads(self, msg_bytes: Any) -> Any:
        return unpacked(msg_bytes)

    def dumps(self, obj: Any) -> bytes:
        return packed(obj)


def of_functions() -> Queue:
    return Queue(max_size_bytes=100_000, loads=unpacked, dumps=packed)


@pytest.mark.parametrize("make", [of_functions, Json], ids=["functions", "methods"])
def test_serializers_of_ones_own(make: Any, context: BaseContext) -> None:
    queue = make()
    queue.put({"a": (1, 2)})
    queue.put_many([[1], "x"])
    assert queue.get() == {"a": [1, 2]} and queue.get_many() == [[1], "x"]
    with pytest.raises(TypeError):
        queue.put(b"no JSON")
    process = context.Process(target=answer, args=(queue,))  # type: ignore[attr-defined]
    process.start()
    assert queue.get(timeout=30) == ["answer", 1]
    process.join(30)


def answer(queue: Queue) -> None:
    queue.put(("answer", 1))


def test_closing_is_a_word_to_everybody(context: BaseContext) -> None:
    queue, told = Queue(), Queue()
    assert not queue.is_closed()
    process = context.Process(target=wait_for_close, args=(queue, told))  # type: ignore[attr-defined]
    process.start()
    assert told.get(timeout=30) == "here"
    queue.put("before")
    queue.close()
    assert queue.is_closed()
    assert told.get(timeout=30) == "before"
    process.join(30)
    assert process.exitcode == 0
    # It ends nothing.
    queue.put("after")
    assert queue.get() == "after"
    queue.join_thread()
    queue.cancel_join_thread()


def wait_for_close(queue: Queue, told: Queue) -> None:
    told.put("here")
    while not queue.is_closed():
        time.sleep(0.01)
    told.put(queue.get())


def produce(queue: Queue, start: int) -> None:
    for number in range(start, start + 500, 5):
        queue.put_many(list(range(number, number + 5)), timeout=None)


def consume(queue: Queue, out: Queue) -> None:
    """An ``Empty`` before the time is up would fail."""
    total = 0
    while True:
        got = queue.get_many(timeout=60, max_messages_to_get=7)
        total += sum(number for number in got if number >= 0)
        if (ends := got.count(-1)) > 0:
            queue.put_many([-1] * (ends - 1), timeout=None)
            out.put(total)
            return


def test_many_producers_and_consumers(context: BaseContext) -> None:
    queue, out = Queue(20_000), Queue()
    producers = [
        context.Process(target=produce, args=(queue, start)) for start in (0, 500, 1000)  # type: ignore[attr-defined]
    ]
    consumers = [context.Process(target=consume, args=(queue, out)) for _ in range(2)]  # type: ignore[attr-defined]
    for process in producers + consumers:
        process.start()
    for process in producers:
        process.join(60)
    queue.put_many([-1, -1], timeout=None)
    assert sum(out.get(timeout=60) for _ in consumers) == sum(range(1500))
    for process in consumers:
        process.join(60)
        assert process.exitcode == 0


def put_for_ever(queue: Queue) -> None:
    while True:
        queue.put(b"x" * 2000, timeout=None)


def test_a_killed_process_keeps_nobody_from_going_on(context: BaseContext) -> None:
    queue = Queue(10_000)
    for _ in range(2):
        producer = context.Process(target=put_for_ever, args=(queue,))  # type: ignore[attr-defined]
        producer.start()
        for _ in range(200):
            queue.get(timeout=30)
        producer.kill()
        producer.join()
        with pytest.raises(ringmail.Disconnected):
            while True:
                queue.get_many(timeout=None)
    queue.put("goes on")
    assert queue.get() == "goes on"


INTERRUPTED = """
import os, signal, sys, threading
from ringmail.compat.faster_fifo import Queue
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    Queue().get(timeout=None)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=30)
    assert done.stdout == "interrupted\n", done.stderr


_given: Any = None


def initialise(queue: Queue) -> None:
    global _given
    _given = queue


def work(number: int) -> None:
    _given.put((number, os.getpid()))


def test_it_is_passed_to_a_pool(context: BaseContext) -> None:
    queue = Queue()
    with context.Pool(2, initialise, (queue,)) as pool:
        pool.map(work, range(10))
    assert sorted(number for number, _ in queue.get_many()) == list(range(10))


def test_what_the_original_has_beside() -> None:
    assert importlib.import_module("ringmail.compat.faster_fifo_reduction").__all__ == []
    queue = Queue(100_000)
    assert queue.data_size() == 0 and queue.last_error is None and queue.message_buffer is None
    queue.put(b"short")
    queue.put(bytes(50_000))
    assert 50_000 <= queue.data_size() < 10_000_000
    queue.reallocate_msg_buffer(10)
    assert queue.get() == b"short" and len(queue.get()) == 50_000
    assert queue.data_size() == 0
