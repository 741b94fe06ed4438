"""Siblings, near or far: how fast a cache line moves between two cores at this moment.

On virtual machines the host moves virtual processors between groups of cores that share a cache, and now and then onto one core, as two
hardware threads of it. The same code then differs by a factor of 3 to 15, for seconds or minutes. The bounds are those of
``benches/compare/src/regime.rs``. A process that sleeps between probes plays ping-pong with this one over two cache lines; what the
interpreter itself takes for the same loop is subtracted.
"""

from __future__ import annotations

import mmap
import os
import statistics
import time
from multiprocessing import connection, get_context
from typing import Self

#: Below so many nanoseconds a round trip is one between hardware threads of a core.
SIBLING_NS = 70.0
#: Below so many it is near.
NEAR_NS = 170.0
BURSTS, TRIPS = 15, 300

# Numbers of 64 bits in a page that two processes have: one in each of two cache lines.
_PING, _PONG = 0, 8


def _answer(page: mmap.mmap, core: int, orders: connection.Connection) -> None:
    os.sched_setaffinity(0, {core})
    table = memoryview(page).cast("Q")
    number = 0
    while True:
        try:
            orders.recv()
        except EOFError:
            os._exit(0)
        for number in range(number + 1, number + 1 + BURSTS * TRIPS):
            while table[_PING] != number:
                pass
            table[_PONG] = number


class Probe:
    """The two players."""

    def __init__(self) -> None:
        self.cores = sorted(os.sched_getaffinity(0))
        self.number = 0
        if len(self.cores) < 2:
            return
        page = mmap.mmap(-1, mmap.PAGESIZE)
        self.table = memoryview(page).cast("Q")
        # Forked: the page is inherited, and a second interpreter is not worth starting.
        context = get_context("fork")
        theirs, self.orders = context.Pipe(duplex=False)
        self.player = context.Process(target=self._other, args=(page, self.cores[1], theirs), daemon=True)
        self.player.start()
        theirs.close()

    def _other(self, page: mmap.mmap, core: int, orders: connection.Connection) -> None:
        self.orders.close()
        _answer(page, core, orders)

    def trip_ns(self) -> float:
        """Nanoseconds of a round trip, without the interpreter's part: the median of some bursts."""
        if len(self.cores) < 2:
            return 0.0
        os.sched_setaffinity(0, self.cores[:1])
        try:
            self.orders.send(None)
            between = statistics.median(self._burst(_PONG) for _ in range(BURSTS))
            alone = statistics.median(self._burst(_PING) for _ in range(BURSTS))
            self.number -= BURSTS * TRIPS
            return between - alone
        finally:
            os.sched_setaffinity(0, self.cores)

    def _burst(self, answer: int) -> float:
        table, start = self.table, time.perf_counter_ns()
        for number in range(self.number + 1, self.number + 1 + TRIPS):
            table[_PING] = number
            while table[answer] != number:
                pass
        self.number += TRIPS
        return (time.perf_counter_ns() - start) / TRIPS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if len(self.cores) >= 2:
            self.orders.close()
            self.player.join()


def of(trip_ns: float) -> str:
    """The regime in which round trips take so long."""
    if trip_ns < SIBLING_NS:
        return "sibling"
    return "near" if trip_ns < NEAR_NS else "far"
