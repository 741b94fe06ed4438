"""The processes of one sample: started afresh, watched, and all ended when it is over.

They are forked from one process that has imported what they all need and done nothing else: a new interpreter takes longer than most
samples. A process of a sample that starts others has interpreters made for them (``SPAWN``), which are its children.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import pathlib
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection, resource_tracker
from multiprocessing.context import BaseContext
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
SPAWN = multiprocessing.get_context("spawn")

#: Seconds that a sample may take before it counts as hung: a message was lost, or somebody waits for ever.
LIMIT = 90.0

#: A function of a module, and its arguments.
Part = tuple[Callable[..., Any], tuple[Any, ...]]


class Failure(Exception):
    """A sample that came to no end, with the reason."""


class Gate:
    """Holds processes until others are ready: receivers of some peers must be there before the first message is sent."""

    def __init__(self, parties: int) -> None:
        self.open, self.count = CONTEXT.Event(), CONTEXT.Semaphore(0)
        self.parties = parties

    def arrive(self) -> None:
        """One is ready."""
        self.count.release()
        if self.count.get_value() >= self.parties:
            self.open.set()

    def wait(self) -> None:
        """Until all are."""
        self.open.wait()


_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Has the kernel kill this process when its parent ends, however that does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _act(result: connection.Connection, part: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    end_with_parent()
    try:
        done = (True, part(*arguments))
    except BaseException as error:
        done = (False, f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    result.send(done)
    # Whoever still wants something of this process gets it: the end is the parent's business.
    time.sleep(3600)


def prepare() -> None:
    """Has the process that samples are forked from import what they need; before the first of them."""
    # Some versions of it do not look where this process does.
    folder = str(pathlib.Path(__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    # A process with threads is not to be forked, and nothing here needs any.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    CONTEXT.set_forkserver_preload(["suite.nursery", "suite.cases.sums", "suite.cases.kills", "suite.cases.stream", "suite.peers"])


def start(part: Part, context: BaseContext = CONTEXT) -> tuple[Any, connection.Connection]:
    """Starts a process; what it returns comes through the connection."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_act, args=(theirs, *part))  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    return process, ours


def result(of: connection.Connection) -> Any:
    """What a process returned."""
    try:
        fine, value = of.recv()
    except EOFError:
        raise Failure("a process ended before it was done") from None
    if not fine:
        raise Failure(value)
    return value


def play(*parts: Part, wanted: int = 1, limit: float = LIMIT) -> list[Any]:
    """Runs all parts at once; returns what the first ``wanted`` of them return, and ends the others."""
    players = []
    try:
        for part in parts:
            players.append(start(part))
        results: dict[int, Any] = {}
        ends = {end: place for place, (_, end) in enumerate(players)}
        until = time.monotonic() + limit
        while not all(place in results for place in range(wanted)):
            ready = connection.wait(list(ends), max(until - time.monotonic(), 0.0))
            if not ready:
                raise Failure(f"no end within {limit:.0f} s: messages were lost, or somebody waits for ever")
            for end in ready:
                assert isinstance(end, connection.Connection)
                results[ends.pop(end)] = result(end)
        return [results[place] for place in range(wanted)]
    finally:
        finish(players)


def becomes(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it comes true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


def finish(players: list[tuple[Any, connection.Connection]]) -> None:
    """Ends them, whatever they do."""
    for process, end in players:
        process.kill()
        end.close()
    for process, _ in players:
        process.join()


def clean() -> None:
    """Has multiprocessing remove what killed processes left; to be called when nothing of a sample is needed any more.

    It keeps a process that does so when the last process that uses it is gone, which would else be at the end of all samples.
    """
    gc.collect()
    resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
