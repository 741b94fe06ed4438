"""``aget``, ``aput``, ``arecv`` and ``async for``: nothing is lost, nobody polls, one thread sleeps for everybody."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterator
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import pytest

import ringmail
from ringmail import _tasks
from ringmail._native import QueueCore


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test in either kind of event loop."""
    if request.param == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop

        def run(main: Coroutine[Any, Any, Any]) -> Any:
            with asyncio.Runner(loop_factory=factory) as runner:
                return runner.run(main)

        monkeypatch.setattr(asyncio, "run", run)


async def until(condition: Callable[[], bool]) -> None:
    """Lets others run until a condition holds."""
    while not condition():
        await asyncio.sleep(0.001)


def waiting() -> int:
    """Calls of this loop that wait."""
    tower = _tasks._tower_of(asyncio.get_running_loop())
    return 0 if tower is None else len(tower.waiting)


async def is_waiting(count: int = 1) -> None:
    await until(lambda: waiting() == count)


Side = tuple[Any, Any]


@pytest.fixture(params=["queue", "pair", "ring"])
def ends(request: pytest.FixtureRequest) -> Iterator[Side]:
    """Something to put into and to get out of, with two slots."""
    if request.param == "queue":
        queue: ringmail.Queue[Any] = ringmail.Queue(2)
        yield queue, queue
        queue.close()
        return
    if request.param == "pair":
        sender, receiver = ringmail.pair(2)
    else:
        name = f"test-async-{os.getpid()}"
        ring = ringmail.Ring.create(name, 2)
        # pytest keeps the ends for a while.
        ringmail.Ring.unlink(name)
        sender, receiver = ring.sender(), ring.receiver()
    with sender, receiver:
        yield sender, receiver


def test_what_can_be_done_at_once_is(ends: Side) -> None:
    async def main() -> None:
        put, get = ends
        await put.aput({"a": np.arange(3)})
        await put.aput(2)
        first = await get.aget()
        assert list(first["a"]) == [0, 1, 2]
        with await get.arecv() as message:
            assert message.value() == 2
        assert _tasks._tower_of(asyncio.get_running_loop()) is None, "nobody had to wait"

    asyncio.run(main())


def test_several_at_once(ends: Side) -> None:
    async def main() -> None:
        put, get = ends
        assert await get.aget_many(0) == []
        with pytest.raises(ringmail.Empty):
            await get.aget_many(3, 0)
        with pytest.raises(ringmail.Empty):
            await get.aget_many(3, timeout=0.01)
        await put.aput(1)
        await put.aput(np.arange(3))
        first, second = await get.aget_many(3)
        assert first == 1 and list(second) == [0, 1, 2]
        task = asyncio.create_task(get.aget_many(3, 60))
        await is_waiting()
        # Both are there before the task's next step.
        put.put("a")
        put.put("b")
        assert await task == ["a", "b"]
        task = asyncio.create_task(get.aget_many(1))
        await is_waiting()
        put.put("c")
        put.put("d")
        assert await task == ["c"] and await get.aget_many(5) == ["d"]
        task = asyncio.create_task(get.aget_many(3))
        await is_waiting()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        put.put("not lost")
        assert get.get_nowait() == "not lost"
        put.put("first")
        put.send(b"no value") if hasattr(put, "send") else put.ring.sender().send(b"no value")
        with pytest.raises(ValueError) as caught:
            await get.aget_many(3)
        assert caught.value.received == ["first"]  # type: ignore[attr-defined]

    asyncio.run(main())


def test_a_slot_is_waited_for_and_filled_in_place(ends: Side) -> None:
    async def main() -> None:
        put, get = ends
        for number in range(2):
            with await put.aloan((2, 50_000), "f4") as array:
                assert array.shape == (2, 50_000) and array.dtype == np.float32 and array.ctypes.data % 64 == 0
                array[...] = number
        for timeout in (0, -1, 0.01):
            with pytest.raises(ringmail.Full):
                await put.aloan(3, "u1", timeout)
        task = asyncio.create_task(put.aloan(3, "u1", timeout=60))
        await is_waiting()
        with get.recv() as message:
            assert (message.array() == 0).all()
        with await task as array:
            array[:] = [7, 8, 9]
        assert get.get()[0, 0] == 1
        assert list(get.get()) == [7, 8, 9]
        with pytest.raises(KeyError):
            with await put.aloan(3, "u1"):
                raise KeyError
        # Given back, and nobody who is cancelled has claimed one.
        put.put(1)
        put.put(2)
        task = asyncio.create_task(put.aloan(3, "u1"))
        await is_waiting()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert get.get() == 1
        put.put(3, timeout=0)
        assert [get.get(), get.get()] == [2, 3] and get.qsize() == 0
        with pytest.raises(ValueError, match="object"):
            await put.aloan(3, object)

    asyncio.run(main())


def test_a_call_waits_for_the_other_side(ends: Side) -> None:
    async def main() -> None:
        put, get = ends
        value, message = asyncio.create_task(get.aget()), asyncio.create_task(get.arecv())
        await is_waiting(2)
        await put.aput("one")
        await put.aput("two")
        assert await value == "one"
        with await message as held:
            assert held.value() == "two"
        await put.aput(1)
        await put.aput(b"x" * 100_000)
        more = [asyncio.create_task(put.aput(what)) for what in (b"y" * 100_000, np.zeros(50_000))]
        await is_waiting(2)
        assert get.get() == 1
        assert get.get() == b"x" * 100_000
        await asyncio.gather(*more)
        assert get.get() == b"y" * 100_000
        assert get.get().shape == (50_000,)

    asyncio.run(main())


def test_timeouts(ends: Side) -> None:
    async def main() -> None:
        put, get = ends
        for timeout in (0, -1, 0.01):
            with pytest.raises(ringmail.Empty):
                await get.aget(timeout)
            with pytest.raises(ringmail.Empty):
                await get.arecv(timeout=timeout)
        await put.aput(1, timeout=0)
        await put.aput(2, 60)
        for timeout in (0, -1, 0.01):
            with pytest.raises(ringmail.Full):
                await put.aput(3, timeout)
        assert [await get.aget(timeout=60), await get.aget(0)] == [1, 2]
        assert waiting() == 0

    asyncio.run(main())


def test_who_is_cancelled_takes_nothing(ends: Side) -> None:
    """``wait_for`` gives up about when the wake-up comes: before, at and after it."""

    async def main() -> None:
        put, get = ends
        received = []
        given_up = 0

        async def produce() -> None:
            for number in range(400):
                await asyncio.sleep(0.0001 * (number % 5))
                try:
                    await asyncio.wait_for(put.aput(number), 0.0001 * (1 + number % 3))
                except TimeoutError:
                    # What was cancelled was not sent.
                    await put.aput(number)

        producer = asyncio.create_task(produce())
        while len(received) < 400:
            try:
                received.append(await asyncio.wait_for(get.aget(), 0.00005 * (1 + given_up % 4)))
            except TimeoutError:
                given_up += 1
        await producer
        assert received == list(range(400))
        assert given_up > 0
        assert waiting() == 0

    asyncio.run(main())


def test_a_task_cancelled_after_its_wake_up_takes_nothing(ends: Side) -> None:
    async def main() -> None:
        put, get = ends
        task = asyncio.create_task(get.aget())
        await is_waiting()
        tower = _tasks._tower_of(asyncio.get_running_loop())
        assert tower is not None
        (future,) = tower.waiting.values()
        put.put("not lost")
        # The loop is kept from it until the bell has rung; then the task is woken, and cancelled before it goes on.
        select.select([tower.bell.fileno()], [], [])
        tower._ring()
        assert future.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert get.get_nowait() == "not lost"

    asyncio.run(main())


def test_async_for_ends_with_the_stream() -> None:
    async def main() -> None:
        sender, receiver = ringmail.pair(2)

        async def produce() -> None:
            with sender:
                for number in range(50):
                    await sender.aput(number)

        producer = asyncio.create_task(produce())
        assert [number async for number in receiver] == list(range(50))
        await producer
        receiver.close()
        with pytest.raises(ValueError, match="closed"):
            await receiver.aget()
        with pytest.raises(ValueError, match="closed"):
            await sender.aput(1)

    asyncio.run(main())


def test_async_for_over_a_queue() -> None:
    async def main() -> None:
        queue: ringmail.Queue[int] = ringmail.Queue(2)

        async def produce() -> None:
            for number in range(20):
                await queue.aput(number)

        producer = asyncio.create_task(produce())
        seen = []
        async for number in queue:
            seen.append(number)
            if number == 19:
                break
        await producer
        assert seen == list(range(20))
        queue.close()

    asyncio.run(main())


def produce_and_hang(queue: ringmail.Queue[int]) -> None:
    queue.put(1)
    time.sleep(1000)


def consume_and_hang(queue: ringmail.Queue[int], ready: ringmail.Queue[int]) -> None:
    queue.get()
    ready.put(1)
    time.sleep(1000)


def send_and_hang(sender: ringmail.Sender) -> None:
    sender.put(1)
    time.sleep(1000)


def test_a_killed_producer_is_told_once_and_a_successor_is_welcome(context: BaseContext) -> None:
    queue: ringmail.Queue[int] = ringmail.Queue(4, ctx=context)

    async def main() -> None:
        producer = context.Process(target=produce_and_hang, args=(queue,))  # type: ignore[attr-defined]
        producer.start()
        assert await queue.aget() == 1
        waiters = [asyncio.create_task(queue.aget()) for _ in range(3)]
        await is_waiting(3)
        producer.kill()
        for waiter in waiters:
            with pytest.raises(ringmail.Disconnected):
                await waiter
        producer.join()
        # Told: now a successor is waited for.
        waiter = asyncio.create_task(queue.aget())
        await is_waiting()
        successor = context.Process(target=produce_and_hang, args=(queue,))  # type: ignore[attr-defined]
        successor.start()
        assert await waiter == 1
        successor.kill()
        successor.join()
        with pytest.raises(ringmail.Disconnected):
            async for _ in queue:
                pass

    asyncio.run(main())
    queue.close()


def test_a_killed_consumer_is_told(context: BaseContext) -> None:
    queue: ringmail.Queue[int] = ringmail.Queue(1, ctx=context)
    ready: ringmail.Queue[int] = ringmail.Queue(1, ctx=context)

    async def main() -> None:
        consumer = context.Process(target=consume_and_hang, args=(queue, ready))  # type: ignore[attr-defined]
        consumer.start()
        await queue.aput(0)
        await ready.aget()
        await queue.aput(1)
        waiter = asyncio.create_task(queue.aput(2))
        await is_waiting()
        consumer.kill()
        with pytest.raises(ringmail.Disconnected):
            await waiter
        consumer.join()

    asyncio.run(main())
    queue.close()
    ready.close()


def test_a_killed_sender_ends_the_stream(context: BaseContext) -> None:
    sender, receiver = ringmail.pair(4)

    async def main() -> None:
        process = context.Process(target=send_and_hang, args=(sender,))  # type: ignore[attr-defined]
        process.start()
        assert await receiver.aget() == 1
        waiter = asyncio.create_task(receiver.aget())
        await is_waiting()
        process.kill()
        with pytest.raises(ringmail.Disconnected):
            await waiter
        process.join()
        assert [value async for value in receiver] == []

    asyncio.run(main())
    sender.close()
    receiver.close()


def test_several_loops_in_several_threads() -> None:
    there: ringmail.Queue[int] = ringmail.Queue(3)
    back: ringmail.Queue[int] = ringmail.Queue(3)

    async def echo() -> None:
        while (number := await there.aget()) >= 0:
            await back.aput(number)

    async def echoes() -> None:
        await asyncio.gather(*(echo() for _ in range(5)))

    threads = [threading.Thread(target=lambda: asyncio.run(echoes())) for _ in range(3)]
    for thread in threads:
        thread.start()

    async def main() -> None:
        async def ask() -> None:
            for number in range(300):
                await there.aput(number)

        asking = asyncio.create_task(ask())
        assert sorted([await back.aget() for _ in range(300)]) == list(range(300))
        await asking
        for _ in range(15):
            await there.aput(-1)

    asyncio.run(main())
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    there.close()
    back.close()


def test_closing_the_loop_while_somebody_waits_is_harmless() -> None:
    queue: ringmail.Queue[int] = ringmail.Queue(2)
    loop = asyncio.new_event_loop()
    task = loop.create_task(queue.aget())
    loop.run_until_complete(asyncio.sleep(0.01))
    tower = _tasks._tower_of(loop)
    assert tower is not None and len(tower.waiting) == 1
    gone = weakref.ref(loop), weakref.ref(tower), weakref.ref(task)
    del tower
    loop.close()
    # Woken into a loop that is closed.
    queue.put(7)
    assert queue.get_nowait() == 7
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task, loop
    gc.collect()
    assert [what() for what in gone] == [None, None, None]
    queue.put(8)
    assert asyncio.run(queue.aget()) == 8
    queue.close()


def test_a_queue_that_is_closed_while_somebody_waits() -> None:
    """As in a blocking call: what waits finishes, and only then this process leaves."""

    async def main() -> None:
        queue: ringmail.Queue[int] = ringmail.Queue(2)
        other = another(queue)
        task = asyncio.create_task(queue.aget())
        await is_waiting()
        queue.close()
        other.put(5)
        assert await task == 5
        with pytest.raises(ValueError, match="closed"):
            await queue.aget()
        other.close()

    asyncio.run(main())


def another(queue: ringmail.Queue[int]) -> ringmail.Queue[int]:
    """Another handle of the queue, in this process."""
    return QueueCore.__new__(ringmail.Queue, 2, None, 1, None, True, queue.fileno())


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=50
    )


def test_the_interpreter_ends_while_somebody_waits() -> None:
    done = run(
        """
        import asyncio, threading, ringmail
        queue = ringmail.Queue(2)
        ready = threading.Barrier(2)

        async def wait():
            task = asyncio.create_task(queue.aget())
            await asyncio.sleep(0)
            ready.wait()
            await task

        threading.Thread(target=lambda: asyncio.run(wait()), daemon=True).start()
        ready.wait()
        print("end")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_message_in_the_last_moment_does_no_harm() -> None:
    """Wake-ups while the interpreter is being taken down."""
    done = run(
        """
        import asyncio, os, threading, ringmail
        queue, own = ringmail.Queue(4), ringmail.Queue(4)
        ready = threading.Barrier(2)

        async def wait():
            task = asyncio.create_task(queue.aget())
            await asyncio.sleep(0)
            ready.wait()
            while True:
                await task
                task = asyncio.create_task(queue.aget())

        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    queue.put(1)
            except ringmail.Disconnected:
                os._exit(0)
        threading.Thread(target=lambda: asyncio.run(wait()), daemon=True).start()
        ready.wait()
        import atexit, signal
        atexit.register(lambda: (os.kill(pid, signal.SIGKILL), os.waitpid(pid, 0)))
        print("end")
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_forked_child_has_a_loop_of_its_own(context: BaseContext) -> None:
    if context.get_start_method() != "fork":
        pytest.skip("only fork copies what waits")
    inbox: ringmail.Queue[int] = ringmail.Queue(2)
    outbox: ringmail.Queue[int] = ringmail.Queue(2)

    async def main() -> None:
        waiter = asyncio.create_task(outbox.aget())
        await is_waiting()
        child = context.Process(target=double_in_a_loop, args=(inbox, outbox))  # type: ignore[attr-defined]
        child.start()
        await inbox.aput(21)
        assert await waiter == 42
        await until(lambda: not child.is_alive())
        assert child.exitcode == 0

    asyncio.run(main())
    inbox.close()
    outbox.close()


def double_in_a_loop(inbox: ringmail.Queue[int], outbox: ringmail.Queue[int]) -> None:
    async def main() -> None:
        await outbox.aput(2 * await inbox.aget())

    asyncio.run(main())


CROWD = """
import asyncio, os, time
from pathlib import Path
import ringmail

def sleepers():
    found = {}
    for task in Path("/proc/self/task").iterdir():
        if (task / "comm").read_text().strip() == "ringmail-waits":
            found[task.name] = int((task / "status").read_text().split("voluntary_ctxt_switches:")[1].split()[0])
    return found

async def main():
    queues = [ringmail.Queue(16, max_message_bytes=10_000) for _ in range(100)]
    tasks = [asyncio.create_task(queue.aget()) for queue in queues for _ in range(10)]
    before_threads = len(os.listdir("/proc/self/task"))
    while len(sleepers()) < 1:
        await asyncio.sleep(0.001)
    # Nobody polls: of the loop's thread nothing is heard while the one thread naps at least ten times.
    start, cpu, before = time.monotonic(), time.process_time(), sleepers()
    (name,) = before
    steps = 0
    while sleepers()[name] < before[name] + 10:
        steps += 1
        await asyncio.sleep(0.1)
    busy = (time.process_time() - cpu) / (time.monotonic() - start)
    naps = sleepers()[name] - before[name]
    print(f"{busy:.3f} of a core, {naps} sleeps, {steps} steps", flush=True)
    assert busy < 0.5, busy
    assert not any(task.done() for task in tasks)
    assert len(sleepers()) == 1, sleepers()
    assert len(os.listdir("/proc/self/task")) <= before_threads + 1
    for number in range(10):
        for queue in queues:
            await queue.aput(number)
    got = await asyncio.gather(*tasks)
    assert sorted(got) == sorted(list(range(10)) * 100)
    assert len(sleepers()) == 1
    for queue in queues:
        queue.close()

asyncio.run(main())
print("done")
"""


def test_a_thousand_calls_on_a_hundred_queues_take_one_thread() -> None:
    done = run(CROWD)
    assert done.stderr == "" and done.stdout.endswith("done\n") and done.returncode == 0, done.stdout + done.stderr


def test_ctrl_c_ends_a_loop_that_waits() -> None:
    program = textwrap.dedent(
        """
        import asyncio, ringmail, signal
        # A job in the background is started with it ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        queue = ringmail.Queue(2)

        async def main():
            task = asyncio.create_task(queue.aget())
            await asyncio.sleep(0.01)
            print("waiting", flush=True)
            await task

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert (out, child.returncode) == ("interrupted\n", 0)


def test_calls_are_coroutines_of_the_right_kind() -> None:
    queue: ringmail.Queue[int] = ringmail.Queue(2)
    call = queue.aget()
    assert asyncio.iscoroutine(call)
    call.close()
    assert queue.__aiter__() is queue
    queue.close()
