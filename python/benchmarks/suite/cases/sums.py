"""A big array of float32, summed by four workers: by copies, by inheritance, and where it lies in shared memory."""

from __future__ import annotations

import contextlib
import mmap
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import connection, shared_memory
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np

import ringmail

from .. import machine
from ..crew import SPAWN, Failure, end_with_parent, play
from ..peers import ray
from ..peers.contract import Peer
from ..sampling import Case, Contestant, Figures, Goal
from . import Settings

WORKERS = 4
PASSES = 7

#: What a worker does when it is told to go; made in the worker.
Task = Callable[[], float]


def cases(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """One case."""
    names = {peer.name for peer in peers}
    methods: dict[str, tuple[str, Callable[[int], list[float]]]] = {}
    if "ringmail recv" in names:
        methods["ringmail, slices kept"] = ("view", _ringmail_kept)
        methods["ringmail, a slice for each task"] = ("view", _ringmail_each)
    methods |= {
        "one process": ("-", _alone), "fork": ("inherited", _forked), "RawArray": ("view", _raw_array),
        "mmap on disk": ("view", _mapped_on_disk), "mmap in /dev/shm": ("view", _mapped_in_memory),
        "SharedMemory, kept": ("view", _shared_kept), "SharedMemory, attached by each task": ("view", _shared_each),
        "pickle": ("copy", _pickled),
    }  # fmt: skip
    if "Ray" in names:
        methods["Ray, put before"] = ("view", _ray)
    nbytes = settings.total // (4 * WORKERS) * 4 * WORKERS
    goals = [Goal("ringmail, slices kept", 1.1, ["fork"])] if "ringmail recv" in names else []
    yield Case(
        name="sums",
        title=f"{nbytes / 1e9:.2f} GB of float32 summed by {WORKERS} workers",
        unit="ms, median of passes",
        more_is_better=False,
        contestants=[_contestant(name, mode, method, nbytes) for name, (mode, method) in methods.items()],
        goals=goals,
        subjects=dict.fromkeys(("view", "copy", "inherited", "-"), "ringmail, slices kept"),
    )


def _contestant(name: str, mode: str, method: Callable[[int], list[float]], nbytes: int) -> Contestant:
    def sample() -> Figures:
        ((first, *others),) = play((method, (nbytes,)), limit=300)
        return {"value": 1000 * statistics.median(others), "first pass, ms": 1000 * first}

    def prepare() -> Callable[[], Figures]:
        if nbytes * 3 > machine.room():
            raise Failure("not enough memory")
        return sample

    return Contestant(name, mode, prepare)


def _checked(total: float, nbytes: int) -> None:
    if abs(total - nbytes // 4) > nbytes // 4 * 1e-3:
        raise AssertionError(f"the sum of {nbytes // 4} ones is not {total}")


def _passes(nbytes: int, once: Callable[[], float], before: Callable[[], None] = lambda: None) -> list[float]:
    """Seconds of each pass; what has to be done before one is not timed."""
    seconds = []
    for _ in range(PASSES):
        before()
        start = time.perf_counter()
        total = once()
        seconds.append(time.perf_counter() - start)
        _checked(total, nbytes)
    return seconds


def _work(orders: connection.Connection, make: Callable[..., Task], arguments: tuple[Any, ...]) -> None:
    end_with_parent()
    task = make(*arguments)
    orders.send(None)
    while orders.recv():
        orders.send(task())


@contextlib.contextmanager
def _workers(context: BaseContext, make: Callable[..., Task], arguments: list[tuple[Any, ...]]) -> Iterator[Callable[[], float]]:
    """Workers that wait for their orders; gives what has all of them work once and adds up what they say."""
    ends, processes = [], []
    for each in arguments:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, make, each))  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        ends.append(ours)
        processes.append(process)
    for end in ends:
        end.recv()

    def once() -> float:
        for end in ends:
            end.send(True)
        return float(sum(end.recv() for end in ends))

    try:
        yield once
        for end in ends:
            end.send(False)
    finally:
        for process in processes:
            process.join()


def _bounds(nbytes: int, worker: int) -> slice:
    share = nbytes // 4 // WORKERS
    return slice(worker * share, (worker + 1) * share)


def _summing(array: Any) -> Task:
    return lambda: float(array.sum())


def _alone(nbytes: int) -> list[float]:
    return _passes(nbytes, _summing(np.ones(nbytes // 4, "f4")))


def _forked(nbytes: int) -> list[float]:
    array = np.ones(nbytes // 4, "f4")
    shares = [(array[_bounds(nbytes, worker)],) for worker in range(WORKERS)]
    with _workers(multiprocessing.get_context("fork"), _summing, shares) as once:
        return _passes(nbytes, once)


def _of_raw_array(memory: Any, bounds: slice) -> Task:
    return _summing(np.frombuffer(memory, "f4")[bounds])


def _raw_array(nbytes: int) -> list[float]:
    memory = SPAWN.RawArray("f", nbytes // 4)
    np.frombuffer(memory, "f4")[:] = 1
    with _workers(SPAWN, _of_raw_array, [(memory, _bounds(nbytes, worker)) for worker in range(WORKERS)]) as once:
        return _passes(nbytes, once)


def _of_file(path: str, bounds: slice) -> Task:
    with open(path, "rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return _summing(np.frombuffer(mapping, "f4")[bounds])


def _mapped(nbytes: int, folder: str | None) -> list[float]:
    with tempfile.NamedTemporaryFile(dir=folder, prefix="ringmail-bench-") as file:
        np.ones(nbytes // 4, "f4").tofile(file)
        file.flush()
        with _workers(SPAWN, _of_file, [(file.name, _bounds(nbytes, worker)) for worker in range(WORKERS)]) as once:
            return _passes(nbytes, once)


def _mapped_on_disk(nbytes: int) -> list[float]:
    return _mapped(nbytes, None)


def _mapped_in_memory(nbytes: int) -> list[float]:
    return _mapped(nbytes, machine.SHM)


def _of_shared(memory: shared_memory.SharedMemory, bounds: slice) -> Task:
    array = np.ndarray((memory.size // 4,), "f4", memory.buf)[bounds]
    return lambda: (memory, float(array.sum()))[1]


def _attaching(name: str, bounds: slice) -> Task:
    def task() -> float:
        memory = shared_memory.SharedMemory(name)
        array = np.ndarray((memory.size // 4,), "f4", memory.buf)[bounds]
        total = float(array.sum())
        del array
        memory.close()
        return total

    return task


def _shared(nbytes: int, kept: bool) -> list[float]:
    memory = shared_memory.SharedMemory(create=True, size=nbytes)
    try:
        np.ndarray((nbytes // 4,), "f4", memory.buf)[:] = 1
        make: Callable[..., Task] = _of_shared if kept else _attaching
        shares = [(memory if kept else memory.name, _bounds(nbytes, worker)) for worker in range(WORKERS)]
        with _workers(SPAWN, make, shares) as once:
            return _passes(nbytes, once)
    finally:
        memory.close()
        memory.unlink()


def _shared_kept(nbytes: int) -> list[float]:
    return _shared(nbytes, True)


def _shared_each(nbytes: int) -> list[float]:
    return _shared(nbytes, False)


def _total(array: Any) -> float:
    return float(array.sum())


def _pickled(nbytes: int) -> list[float]:
    array = np.ones(nbytes // 4, "f4")
    shares = [array[_bounds(nbytes, worker)] for worker in range(WORKERS)]
    with SPAWN.Pool(WORKERS, end_with_parent) as pool:
        return _passes(nbytes, lambda: sum(pool.map(_total, shares, chunksize=1)))


def _ray(nbytes: int) -> list[float]:
    started = ray.start(nbytes + (100 << 20))

    # Within, for Ray to send it along: its workers do not find this module.
    def part(array: Any, bounds: slice) -> float:
        return float(array[bounds].sum())

    total = started.remote(part)

    array = started.put(np.ones(nbytes // 4, "f4"))
    try:
        return _passes(
            nbytes,
            lambda: sum(started.get([total.remote(array, _bounds(nbytes, worker)) for worker in range(WORKERS)])),
        )
    finally:
        started.shutdown()


def _fill(sender: ringmail.Sender, nbytes: int, parts: int) -> None:
    for _ in range(parts):
        with sender.loan(nbytes // 4 // parts, "f4") as part:
            part.fill(1)


def _pair(nbytes: int, parts: int) -> tuple[ringmail.Sender, ringmail.Receiver]:
    return ringmail.pair(parts, max_message_bytes=nbytes // parts + 4096, retain_bytes=nbytes + parts * 4096)


def _holding(receiver: ringmail.Receiver) -> Task:
    message = receiver.recv()
    array = message.array()
    return lambda: (message, float(array.sum()))[1]


def _ringmail_kept(nbytes: int) -> list[float]:
    sender, receiver = _pair(nbytes, WORKERS)
    _fill(sender, nbytes, WORKERS)
    with _workers(SPAWN, _holding, [(receiver,)] * WORKERS) as once:
        return _passes(nbytes, once)


def _receiving(receiver: ringmail.Receiver) -> Task:
    def task() -> float:
        with receiver.recv() as message:
            return float(message.array().sum())

    return task


def _ringmail_each(nbytes: int) -> list[float]:
    sender, receiver = _pair(nbytes, WORKERS)
    with _workers(SPAWN, _receiving, [(receiver,)] * WORKERS) as once:
        return _passes(nbytes, once, lambda: _fill(sender, nbytes, WORKERS))
