"""Queues and pairs between processes: every start method, deaths, Ctrl-C, and the end of the interpreter."""

from __future__ import annotations

import concurrent.futures
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import pytest

import ringmail
from ringmail.compat.py_sharedmemory import create_shared_memory_pair

from conftest import shared_memory


def echo(inbox: ringmail.Queue, outbox: ringmail.Queue) -> None:
    while (value := inbox.get()) is not None:
        outbox.put((os.getpid(), value))


def test_queues_are_arguments(context: BaseContext) -> None:
    inbox: ringmail.Queue = ringmail.Queue(4, ctx=context)
    outbox: ringmail.Queue = ringmail.Queue(ctx=context)
    workers = [context.Process(target=echo, args=(inbox, outbox)) for _ in range(2)]  # type: ignore[attr-defined]
    for worker in workers:
        worker.start()
    for number in range(50):
        inbox.put(np.full(1000, number))
    seen = [outbox.get(timeout=30) for _ in range(50)]
    for _ in workers:
        inbox.put(None)
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert sorted(int(array[0]) for _, array in seen) == list(range(50))
    assert {pid for pid, _ in seen} <= {worker.pid for worker in workers}
    with pytest.raises(ringmail.Empty):
        outbox.get_nowait()


def produce(sender: ringmail.Sender, count: int) -> None:
    with sender:
        for number in range(count):
            sender.put({"n": number, "a": np.arange(number % 50)})


def consume(receiver: ringmail.Receiver, out: ringmail.Sender) -> None:
    with out:
        out.put(sum(message["n"] for message in receiver))


def test_both_ends_of_a_pair_travel(context: BaseContext) -> None:
    sender, receiver = ringmail.pair(5)
    out, result = ringmail.pair(1)
    processes = [
        context.Process(target=produce, args=(sender, 500)),  # type: ignore[attr-defined]
        context.Process(target=consume, args=(receiver, out)),  # type: ignore[attr-defined]
    ]
    for process in processes:
        process.start()
    assert result.get(timeout=30) == sum(range(500))
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    with pytest.raises(ringmail.Disconnected):
        result.get(timeout=10)


def send_to_oneself(sender: ringmail.Sender, receiver: ringmail.Receiver, out: ringmail.Queue) -> None:
    sender.put("both")
    out.put(receiver.get(timeout=20))


def test_both_ends_of_a_pair_travel_together(context: BaseContext) -> None:
    sender, receiver = ringmail.pair(4)
    out = ringmail.Queue()
    child = context.Process(target=send_to_oneself, args=(sender, receiver, out))  # type: ignore[attr-defined]
    child.start()
    assert out.get(timeout=30) == "both"
    child.join()
    assert child.exitcode == 0


def hand_over(carrier: ringmail.Queue) -> None:
    queue, sender = carrier.get(timeout=20)
    queue.put("by another queue")
    sender.put(np.arange(3))
    sender.wait_for_all_ack(20)


def test_handles_travel_through_a_queue(context: BaseContext) -> None:
    carrier: ringmail.Queue = ringmail.Queue(2)
    queue: ringmail.Queue = ringmail.Queue(2)
    sender, receiver = ringmail.pair(2)
    process = context.Process(target=hand_over, args=(carrier,))  # type: ignore[attr-defined]
    process.start()
    carrier.put((queue, sender))
    assert queue.get(timeout=30) == "by another queue"
    assert receiver.get(timeout=30).tolist() == [0, 1, 2]
    process.join(30)
    assert process.exitcode == 0


_given: ringmail.Queue | None = None


def initialise(queue: ringmail.Queue) -> None:
    global _given
    _given = queue


def work(number: int) -> int:
    assert _given is not None
    _given.put(number)
    return number * number


def test_pools_and_executors(context: BaseContext) -> None:
    queue: ringmail.Queue = ringmail.Queue()
    with context.Pool(2, initialise, (queue,)) as pool:
        assert pool.map(work, range(20)) == [n * n for n in range(20)]
    assert sorted(queue.get(timeout=5) for _ in range(20)) == list(range(20))
    with concurrent.futures.ProcessPoolExecutor(
        2, mp_context=context, initializer=initialise, initargs=(queue,)
    ) as executor:
        assert list(executor.map(work, range(20))) == [n * n for n in range(20)]
    assert sorted(queue.get(timeout=5) for _ in range(20)) == list(range(20))


def one_result(queue: ringmail.Queue, delay: float) -> None:
    time.sleep(delay)
    queue.put(os.getpid())


def test_producers_that_end_in_order_are_no_disconnection(context: BaseContext) -> None:
    """As in a pool: the first is done and gone before the second has begun."""
    queue: ringmail.Queue = ringmail.Queue()
    workers = [context.Process(target=one_result, args=(queue, delay)) for delay in (0.0, 0.6)]  # type: ignore[attr-defined]
    workers[0].start()
    assert queue.get() == workers[0].pid
    workers[0].join(30)
    workers[1].start()
    assert queue.get() == workers[1].pid
    workers[1].join(30)


def put_for_ever(queue: Any) -> None:
    number = 0
    while True:
        queue.put(number)
        number += 1


def get_for_ever(queue: Any) -> None:
    while True:
        queue.get()


def wait_until(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_a_killed_producer_is_told_and_replaced(context: BaseContext) -> None:
    queue: ringmail.Queue = ringmail.Queue(16)
    for _ in range(2):
        producer = context.Process(target=put_for_ever, args=(queue,))  # type: ignore[attr-defined]
        producer.start()
        for _ in range(100):
            queue.get(timeout=30)
        producer.kill()
        producer.join()
        with pytest.raises(ringmail.Disconnected, match=f"process {producer.pid}, died"):
            while True:
                queue.get()
        with pytest.raises(ringmail.Empty):
            queue.get(timeout=0.3)


def test_a_killed_consumer_is_told_and_replaced(context: BaseContext) -> None:
    queue: ringmail.Queue = ringmail.Queue(16)
    for _ in range(2):
        consumer = context.Process(target=get_for_ever, args=(queue,))  # type: ignore[attr-defined]
        consumer.start()
        for number in range(100):
            queue.put(number, timeout=30)
        wait_until(queue.empty)
        consumer.kill()
        consumer.join()
        with pytest.raises(ringmail.Disconnected, match=f"process {consumer.pid}, died"):
            while True:
                queue.put("x")
        with pytest.raises(ringmail.Full):
            queue.put("x", timeout=0.3)


def test_polling_is_told_too(context: BaseContext) -> None:
    queue: ringmail.Queue = ringmail.Queue(16)
    producer = context.Process(target=put_for_ever, args=(queue,))  # type: ignore[attr-defined]
    producer.start()
    queue.get(timeout=30)
    producer.kill()
    producer.join()
    with pytest.raises(ringmail.Disconnected):
        while True:
            try:
                queue.get_nowait()
            except ringmail.Empty:
                pass


class Job:
    """Something that has its queues as attributes, and a method that is the target."""

    def __init__(self, *handles: Any) -> None:
        self.handles = {"all": handles}

    def run(self, *more: Any) -> None:
        idle(self.handles, more)


class Worker(multiprocessing.Process):
    """A process that has its queues as attributes."""

    def __init__(self, *handles: Any) -> None:
        super().__init__()
        self.handles = handles

    def run(self) -> None:
        idle(self.handles)


def idle(*_: Any, **handles: Any) -> None:
    """Does nothing with what it was given."""
    time.sleep(60)


def arrived(end: Any, pid: int, side: str) -> Any:
    """Whether a process takes part on a side."""
    return lambda: any(peer["pid"] == pid and peer[side] for peer in end.ring.stats()["participants"])


WAYS = ["argument", "keyword", "nested", "of a method", "of a partial", "of a process", "in a shim"]


@pytest.mark.parametrize("way", WAYS)
def test_a_death_before_the_first_use_is_told(way: str, context: BaseContext) -> None:
    queue: ringmail.Queue = ringmail.Queue(2)
    sender, receiver = ringmail.pair(1)
    shim, source = create_shared_memory_pair(1)
    inbound, outbound = ringmail.pair(1)
    given = (queue, sender, outbound)
    if way == "argument":
        child = context.Process(target=idle, args=given)  # type: ignore[attr-defined]
    elif way == "keyword":
        child = context.Process(target=idle, kwargs={"handles": given})  # type: ignore[attr-defined]
    elif way == "nested":
        child = context.Process(target=idle, args=(1, {"deep": [(given,)]}))  # type: ignore[attr-defined]
    elif way == "of a method":
        child = context.Process(target=Job(*given).run)  # type: ignore[attr-defined]
    elif way == "of a partial":
        child = context.Process(target=functools.partial(idle, *given))  # type: ignore[attr-defined]
    elif way == "in a shim":
        child = context.Process(target=idle, args=(*given, shim))  # type: ignore[attr-defined]
    elif context.get_start_method() != "fork":
        pytest.skip("its class is of the default context")
    else:
        child = Worker(*given)
    child.start()
    try:
        wait_until(arrived(queue, child.pid, "senders"))
        wait_until(arrived(sender, child.pid, "senders"))
        wait_until(arrived(outbound, child.pid, "receivers"))
        if way == "in a shim":
            wait_until(arrived(source._receiver, child.pid, "senders"))
        with pytest.raises(ringmail.Empty):
            receiver.get(timeout=0.05)
    finally:
        child.kill()
        child.join()
    with pytest.raises(ringmail.Disconnected, match=f"process {child.pid}, died"):
        queue.get(timeout=30)
    with pytest.raises(ringmail.Disconnected):
        receiver.get(timeout=30)
    inbound.put("fits")
    with pytest.raises(ringmail.Disconnected):
        inbound.put("does not", timeout=30)
    if way == "in a shim":
        with pytest.raises(ringmail.Disconnected):
            source.get()
    # Told once; then a successor is waited for.
    with pytest.raises(ringmail.Empty):
        queue.get(timeout=0.05)


def to_the_end(ends: tuple[ringmail.Sender, ringmail.Receiver], out: ringmail.Queue) -> None:
    out.put(list(ends[1]))


def test_who_is_given_both_ends_sees_the_end_of_the_stream(context: BaseContext) -> None:
    """It is no sender because it could be one."""
    ends = ringmail.pair(4)
    ends[0].put_many([1, 2])
    out: ringmail.Queue = ringmail.Queue(1)
    child = context.Process(target=to_the_end, args=(ends, out))  # type: ignore[attr-defined]
    child.start()
    # Not before the child has it, or there would be nothing to pass on.
    wait_until(lambda: ends[0].qsize() == 0)
    ends[0].close()
    assert out.get(timeout=30) == [1, 2]
    child.join()


def first_get(queue: ringmail.Queue, told: ringmail.Sender) -> None:
    told.put(queue.get())
    idle()


def first_put(queue: ringmail.Queue) -> None:
    queue.put("first")
    idle()


def test_the_first_use_of_a_queue_says_which_side_a_child_is_on(context: BaseContext) -> None:
    queue: ringmail.Queue = ringmail.Queue(2)
    told, answer = ringmail.pair(1)
    # Inherited as used, by a fork.
    queue.put("something")
    consumer = context.Process(target=first_get, args=(queue, told))  # type: ignore[attr-defined]
    consumer.start()
    assert answer.get(timeout=30) == "something"
    (peer,) = [peer for peer in queue.stats()["participants"] if peer["pid"] == consumer.pid]
    assert (peer["senders"], peer["receivers"]) == (0, 1)
    consumer.kill()
    consumer.join()
    producer = context.Process(target=first_put, args=(queue,))  # type: ignore[attr-defined]
    producer.start()
    assert queue.get(timeout=30) == "first"
    (peer,) = [peer for peer in queue.stats()["participants"] if peer["pid"] == producer.pid]
    assert (peer["senders"], peer["receivers"]) == (1, 0)
    producer.kill()
    producer.join()


def only_inherits(ready: ringmail.Sender) -> None:
    ready.put("ready")
    idle()


def test_what_is_merely_inherited_takes_no_part() -> None:
    """Or a stream would not end before every child that was forked meanwhile has."""
    sender, receiver = ringmail.pair(2)
    ready, told = ringmail.pair(1)
    sender.put("last")
    child = multiprocessing.get_context("fork").Process(target=only_inherits, args=(ready,))
    child.start()
    assert told.get(timeout=30) == "ready"
    sender.close()
    assert list(receiver) == ["last"]
    child.kill()
    child.join()


def fail(queue: ringmail.Queue) -> None:
    queue.put("before")
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    raise RuntimeError("on purpose")


def test_a_producer_that_fails_is_told(context: BaseContext) -> None:
    queue: ringmail.Queue = ringmail.Queue(16)
    producer = context.Process(target=fail, args=(queue,))  # type: ignore[attr-defined]
    producer.start()
    assert queue.get(timeout=30) == "before"
    with pytest.raises(ringmail.Disconnected):
        queue.get(timeout=10)
    producer.join()


def test_the_end_of_a_pair_is_told_when_the_sender_is_killed(context: BaseContext) -> None:
    sender, receiver = ringmail.pair(16)
    producer = context.Process(target=put_for_ever, args=(sender,))  # type: ignore[attr-defined]
    producer.start()
    receiver.get(timeout=30)
    producer.kill()
    producer.join()
    for _ in receiver:
        pass
    # A successor carries on.
    producer = context.Process(target=put_for_ever, args=(sender,))  # type: ignore[attr-defined]
    producer.start()
    wait_until(lambda: receiver.qsize() > 0)
    assert receiver.get(timeout=10) == 0
    producer.kill()
    producer.join()


def hold(receiver: ringmail.Receiver, ready: ringmail.Sender) -> None:
    message = receiver.recv()
    array = message.array()
    ready.put(float(array.sum()))
    time.sleep(60)


def test_what_a_killed_receiver_held_comes_again(context: BaseContext) -> None:
    sender, receiver = ringmail.pair(1)
    ready, told = ringmail.pair(1)
    sender.put(np.arange(1000))
    holder = context.Process(target=hold, args=(receiver, ready))  # type: ignore[attr-defined]
    holder.start()
    assert told.get(timeout=30) == 499500
    holder.kill()
    holder.join()
    with receiver.recv(timeout=10) as message:
        assert message.redelivered == 1 and message.array().sum() == 499500


INTERRUPTED = """
import sys, time, threading, os, signal, ringmail
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is started with it ignored
queue = ringmail.Queue(1)
sender, receiver = ringmail.pair(1)
if sys.argv[1] in ("get", "get, another thread hears"):
    call = queue.get
elif sys.argv[1] == "put":
    queue.put(1)
    call = lambda: queue.put(2)
elif sys.argv[1] == "recv":
    call = receiver.recv
elif sys.argv[1] == "ack":
    sender.put(1)
    call = sender.wait_for_all_ack
elif sys.argv[1] == "loan":
    queue.put(1)
    call = lambda: queue.loan(5, "f4")
else:
    call = lambda: list(receiver)
def interrupt():
    time.sleep(0.3)
    global start
    start = time.monotonic()
    if "hears" in sys.argv[1]:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    call()
except KeyboardInterrupt:
    print(time.monotonic() - start)
"""


@pytest.mark.parametrize("call", ["get", "put", "recv", "ack", "loan", "iterate", "get, another thread hears"])
def test_ctrl_c(call: str) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, call], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    # At all, and not when a wait of for ever ends. How soon, the benchmarks say.
    assert float(done.stdout) > 0


def test_forked_in_the_middle() -> None:
    """A child that uses its parent's handle is a participant of its own."""
    queue: ringmail.Queue = ringmail.Queue(8)
    queue.put("parent")
    child = os.fork()
    if child == 0:
        try:
            queue.put(("child", queue.get(timeout=5)))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert queue.get(timeout=5) == ("child", "parent")
    queue.put("on")
    assert queue.get(timeout=5) == "on"


ENDS = """
import multiprocessing as mp, ringmail, threading, time, numpy as np
def child(q):
    q.put(np.zeros(100000)); q.put("unread")
if __name__ == "__main__":
    q = ringmail.Queue(4)
    threading.Thread(target=q.get, daemon=True).start()
    p = mp.get_context("{method}").Process(target=child, args=(q,))
    p.start(); p.join()
    held = q.recv()
    array = held.value()
    threading.Thread(target=lambda: ringmail.Queue(1).get(), daemon=True).start()
    time.sleep(0.2)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_end_of_the_interpreter(method: str, tmp_path: Any) -> None:
    """With messages unread, held and waited for; nothing hangs and nothing is said."""
    script = tmp_path / "ends.py"
    script.write_text(textwrap.dedent(ENDS.format(method=method)))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stderr, done.stderr


MASSACRE = """
import os, sys, ringmail, multiprocessing as mp, time
def put_for_ever(q):
    while True: q.put(b"x" * 5000)
def get_for_ever(q):
    while True: q.get()
if __name__ == "__main__":
    q = ringmail.Queue(16)
    ring = ringmail.Ring.create(sys.argv[2], 4)
    ends = ring.sender(), ring.receiver()
    ctx = mp.get_context(sys.argv[1])
    for target in (put_for_ever, get_for_ever) * 2:
        ctx.Process(target=target, args=(q,)).start()
    ctx.Process(target=put_for_ever, args=(ends[0],)).start()
    ctx.Process(target=get_for_ever, args=(ends[1],)).start()
    def busy(stats):
        peers = stats["participants"]
        return stats["acked"] > 100 and sum(p["senders"] for p in peers) > 1 and sum(p["receivers"] for p in peers) > 1
    while not (busy(q.stats()) and busy(ring.stats())):
        time.sleep(0.01)
    print("ready", flush=True)
    time.sleep(60)
"""


def replaced(name: str) -> bool:
    """Whether nobody had the ring of that name, so that it was made anew, and unlinked."""
    try:
        ring = ringmail.Ring.create(name, 2)
    except FileExistsError:
        return False
    ringmail.Ring.unlink(name)
    return ring.capacity == 2


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_nothing_is_left_when_all_are_killed(method: str, tmp_path: Any) -> None:
    """But the name of a named ring, which whoever comes next takes for one of its own, or removes."""
    name = f"python-massacre-{os.getpid()}-{method}"
    before = shared_memory()
    script = tmp_path / "massacre.py"
    script.write_text(MASSACRE)
    with subprocess.Popen(
        [sys.executable, str(script), method, name], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGKILL)
    # As soon as the last of them is dead the ring is replaced, and that one goes with us.
    wait_until(lambda: replaced(name))
    wait_until(lambda: shared_memory() <= before)


def test_waiting_costs_nothing() -> None:
    queue: ringmail.Queue = ringmail.Queue(1)
    thread = threading.Thread(target=wait_quietly, args=(queue,))
    thread.start()
    start = time.process_time()
    thread.join()
    assert time.process_time() - start < 0.1


@pytest.mark.parametrize("supervised, most", [(False, 8), (True, 14)], ids=["pair", "queue"])
def test_a_waiting_thread_sleeps_long(supervised: bool, most: int) -> None:
    """No signal comes to it, so it need not look for one 20 times a second; in a queue it looks for the dead."""
    end: Any = ringmail.Queue(1) if supervised else ringmail.pair(1)[1]
    switches: list[int] = []

    def count() -> int:
        with open("/proc/thread-self/status") as status:
            return int(next(line for line in status if line.startswith("voluntary")).split()[1])

    def wait() -> None:
        before = count()
        with pytest.raises(ringmail.Empty):
            end.get(timeout=2.0)
        switches.append(count() - before)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert switches[0] <= most


def wait_quietly(queue: ringmail.Queue) -> None:
    with pytest.raises(ringmail.Empty):
        queue.get(timeout=1.0)
