"""Round trips: 64 bytes, back to back and after both sides slept; 100 MB, as through a pool."""

from __future__ import annotations

import concurrent.futures
import functools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import payloads
from ..crew import SPAWN, Gate, end_with_parent, play
from ..payloads import Payload, same
from ..peers.contract import Peer
from ..sampling import Case, Contestant, Figures, Goal
from . import Settings

#: Long enough for everybody to have gone to sleep.
PAUSE = 0.002

#: What is added to a name of one that a pool's worker was given.
IN_POOL = ", in mp.Pool"


def pingpong(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """64 bytes there and back."""
    taking_part = [peer for peer in peers if peer.name not in ("ringmail many", "Ray") and "bytes" in peer.kinds]
    names = {peer.name for peer in taking_part}
    payload = payloads.text(64)
    for asleep in (False, True):
        goals = []
        if "ringmail" in names:
            if asleep and "mp.Pipe" in names:
                goals.append(Goal("ringmail", 0.5, ["mp.Pipe"]))
            if not asleep:
                goals.append(Goal("ringmail", 5.0))
        how = "both sides asleep before" if asleep else "back to back"
        count = max(50, int(settings.seconds * (200 if asleep else 2000)))
        yield Case(
            name=f"pingpong/{'asleep' if asleep else 'awake'}",
            title=f"64 B there and back, {how}",
            unit="us, median",
            more_is_better=False,
            contestants=[_contestant(peer, payload, 5, count, PAUSE if asleep else 0.0, 1e6) for peer in taking_part],
            goals=goals,
        )


def pool(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """100 MB there and back."""
    names = ("ringmail many", "ringmail loan", "ringmail get_into", "Ray")
    taking_part = [peer for peer in peers if peer.name not in names and "array" in peer.kinds]
    payload = payloads.floats(settings.big)
    count = max(3, min(int(settings.seconds * 10), 10))
    contestants = [_contestant(peer, payload, 2, count, 0.0, 1e3) for peer in taking_part]
    if any(peer.name == "mp.Queue" for peer in taking_part):
        contestants.append(Contestant("mp.Pool", "copy", functools.partial(_prepare_pool, "pool", payload, count)))
        contestants.append(Contestant("ProcessPoolExecutor", "copy", functools.partial(_prepare_pool, "futures", payload, count)))
    present = {peer.name for peer in taking_part}
    goals = []
    if {"ringmail", "py-sharedmemory 4"} <= present:
        goals.append(Goal("ringmail", 0.6, ["py-sharedmemory 4"]))
        goals.append(Goal(f"ringmail{IN_POOL}", 0.6, [f"py-sharedmemory 4{IN_POOL}"]))
    # A pool's tasks carry neither of them: workers get them once, by their initialiser, and a task says that there is a message.
    for peer in taking_part:
        if peer.name in ("ringmail", "ringmail recv", "py-sharedmemory 4"):
            sampler = functools.partial(_prepare_initialised, peer, payload, count)
            contestants.append(Contestant(peer.name + IN_POOL, peer.mode, sampler))
    yield Case(
        name="pool",
        title=f"An array of {payload.nbytes // 1_000_000} MB to a worker and back",
        unit="ms, median",
        more_is_better=False,
        contestants=contestants,
        goals=goals,
    )


def _contestant(peer: type[Peer], payload: Payload, capacity: int, count: int, pause: float, scale: float) -> Contestant:
    def prepare() -> Callable[[], Figures]:
        _trips(peer, payload, capacity, 3, 0.0, True)
        return lambda: _figures(_trips(peer, payload, capacity, count, pause, False), scale)

    return Contestant(peer.name, peer.mode, prepare)


def _figures(trips: list[float], scale: float) -> Figures:
    trips = sorted(trips)
    return {"value": statistics.median(trips) * scale, "p99": trips[min(len(trips) * 99 // 100, len(trips) - 1)] * scale}


def _trips(peer: type[Peer], payload: Payload, capacity: int, count: int, pause: float, check: bool) -> list[float]:
    there, back = peer(payload, capacity), peer(payload, capacity)
    there.sleepy = back.sleepy = True
    try:
        gate = Gate(2)
        (trips,) = play((_ask, (there, back, gate, count, pause, check)), (_answer, (there, back, gate)))
        return list(trips)
    finally:
        there.close()
        back.close()


def _ask(there: Peer, back: Peer, gate: Gate, count: int, pause: float, check: bool) -> list[float]:
    back.open_receiver()
    gate.arrive()
    gate.wait()
    there.open_sender()
    trips = []
    value = there.payload.make()
    warm = 2 if there.payload.nbytes > 1_000_000 else 20
    for number in range(-warm, count):
        if check:
            value = there.payload.make(number + warm)
        if pause:
            time.sleep(pause)
        start = time.perf_counter()
        there.put(value)
        got = back.get()
        passed = time.perf_counter() - start
        if check and not same(got, value):
            raise AssertionError("what came back is not what was sent")
        if number >= 0:
            trips.append(passed)
        del got
        back.let_go()
    return trips


def _answer(there: Peer, back: Peer, gate: Gate) -> None:
    there.open_receiver()
    gate.arrive()
    gate.wait()
    back.open_sender()
    while True:
        _answer_one(there, back)


def _answer_one(there: Peer, back: Peer) -> None:
    value = there.get()
    if there.mode == "view" and there.payload.kind == "bytes":
        # Some take nothing but bytes.
        value = bytes(value)
    back.put(value)
    del value
    there.let_go()


def _same_again(value: Any) -> Any:
    return value


#: Both directions, in a worker of a pool.
_given: list[Peer] = []


def _give(there: Peer, back: Peer) -> None:
    end_with_parent()
    there.open_receiver()
    back.open_sender()
    _given[:] = [there, back]


def _task() -> None:
    _answer_one(*_given)


def _prepare_initialised(peer: type[Peer], payload: Payload, count: int) -> Callable[[], Figures]:
    def sample() -> Figures:
        (trips,) = play((_initialised, (peer, payload, count)))
        return _figures(trips, 1e3)

    return sample


def _initialised(peer: type[Peer], payload: Payload, count: int) -> list[float]:
    there, back, value = peer(payload, 2), peer(payload, 2), payload.make()
    there.sleepy = back.sleepy = True
    with SPAWN.Pool(1, _give, (there, back)) as workers:
        there.open_sender()
        back.open_receiver()

        def trip() -> Any:
            back.let_go()
            task = workers.apply_async(_task)
            there.put(value)
            got = back.get()
            task.get()
            return got

        trips = [_timed(trip, value) for _ in range(count + 1)]
        back.let_go()
    there.close()
    back.close()
    return trips[1:]


def _prepare_pool(which: str, payload: Payload, count: int) -> Callable[[], Figures]:
    def sample() -> Figures:
        (trips,) = play((_pool, (which, payload, count)))
        return _figures(trips, 1e3)

    return sample


def _pool(which: str, payload: Payload, count: int) -> list[float]:
    value, trips = payload.make(), []
    if which == "pool":
        with SPAWN.Pool(1, end_with_parent) as workers:
            trips = [_timed(lambda: workers.apply(_same_again, (value,)), value) for _ in range(count + 1)]
    else:
        with concurrent.futures.ProcessPoolExecutor(1, SPAWN, end_with_parent) as executor:
            trips = [_timed(lambda: executor.submit(_same_again, value).result(), value) for _ in range(count + 1)]
    return trips[1:]


def _timed(call: Callable[[], Any], expected: Any) -> float:
    start = time.perf_counter()
    got = call()
    passed = time.perf_counter() - start
    if len(got) != len(expected) or got[-1] != expected[-1]:
        raise AssertionError("what came back is not what was sent")
    return passed
