"""Four actors send steps to one learner: dicts of an observation, an action, a reward and whether it is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import payloads
from ..crew import Gate, play
from ..peers.contract import Peer
from ..sampling import Case, Contestant, Figures, Goal
from . import Settings

ACTORS = 4
CAPACITY = 64


def cases(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """One case."""
    only = {"ringmail recv", "ringmail get_into", "ringmail loan", "hand-written view", "Ray"}
    taking_part = [peer for peer in peers if peer.name not in only and "object" in peer.kinds]
    ours = [peer.name for peer in taking_part if peer.distribution == "ringmail"]
    yield Case(
        name="actors",
        title=f"{ACTORS} actors to a learner, capacity {CAPACITY}",
        unit="steps/s",
        more_is_better=True,
        contestants=[_contestant(peer, settings.seconds) for peer in taking_part],
        goals=[Goal(name, 100_000) for name in ours],
    )


def _contestant(peer: type[Peer], seconds: float) -> Contestant:
    def prepare() -> Callable[[], Figures]:
        rate = _steps(peer, 2_000, True)
        count = max(2_000, int(rate * seconds))
        return lambda: {"value": _steps(peer, count, False)}

    return Contestant(peer.name, peer.mode, prepare)


def _steps(peer: type[Peer], count: int, check: bool) -> float:
    # Who takes one producer only gets a queue for each, which the learner asks in turn.
    payload = payloads.other("step")
    queues = [peer(payload, CAPACITY) for _ in range(1 if peer.many else ACTORS)]
    try:
        gate = Gate(1)
        each = count // ACTORS
        actors = [(_act, (queues[number % len(queues)], gate, number, each)) for number in range(ACTORS)]
        (rate,) = play((_learn, (queues, gate, each, check)), *actors)
        return float(rate)
    finally:
        for queue in queues:
            queue.close()


def _act(queue: Peer, gate: Gate, number: int, count: int) -> None:
    gate.wait()
    queue.open_sender()
    queue.pump(queue.payload.make(number), count)


def _learn(queues: list[Peer], gate: Gate, each: int, check: bool) -> float:
    for queue in queues:
        queue.open_receiver()
    gate.arrive()
    total: dict[Any, int] = {}
    if check:
        for place in range(each * ACTORS):
            step = queues[place % len(queues)].get()
            actor = int(step["obs"][-1])
            total[actor] = total.get(actor, 0) + 1
            if place == each:
                start, counted = time.perf_counter(), place
        if total != dict.fromkeys(range(ACTORS), each):
            raise AssertionError(f"steps were lost or came twice: {total}")
        return (each * ACTORS - counted) / (time.perf_counter() - start)
    share = each * ACTORS // len(queues)
    for queue in queues:
        queue.drain(share // 5)
    start = time.perf_counter()
    rest, done = share - share // 5, 0
    # In turn, but several at once where they come one by one from queues of their own.
    while done < rest:
        some = min(rest - done, 16 if len(queues) > 1 else rest)
        for queue in queues:
            queue.drain(some)
        done += some
    return rest * len(queues) / (time.perf_counter() - start)
