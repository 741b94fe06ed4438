"""What a consumer costs that waits for a message."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator

from .. import payloads
from ..crew import Gate, play
from ..peers import ALIKE
from ..peers.contract import Peer
from ..sampling import Case, Contestant, Figures, Goal
from . import Settings


def cases(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """One case."""
    seconds = max(1.0, 2 * settings.seconds)
    taking_part = [peer for peer in peers if peer.name not in ALIKE and "bytes" in peer.kinds]
    yield Case(
        name="idle",
        title="A consumer that waits",
        unit="% of a core",
        more_is_better=False,
        contestants=[_contestant(peer, seconds) for peer in taking_part],
        goals=[Goal(peer.name, 0.1) for peer in taking_part if peer.distribution == "ringmail"],
        timed=False,
    )


def _contestant(peer: type[Peer], seconds: float) -> Contestant:
    def sample() -> Figures:
        queue = peer(payloads.text(64), 5)
        queue.sleepy = True
        try:
            gate = Gate(1)
            (figures,) = play((_wait, (queue, gate)), (_late, (queue, gate, seconds)))
            return dict(figures)
        finally:
            queue.close()

    def prepare() -> Callable[[], Figures]:
        return sample

    return Contestant(peer.name, peer.mode, prepare)


def _late(queue: Peer, gate: Gate, seconds: float) -> None:
    gate.wait()
    queue.open_sender()
    queue.put(queue.payload.make())
    time.sleep(seconds)
    queue.put(queue.payload.make())


def _wait(queue: Peer, gate: Gate) -> Figures:
    queue.open_receiver()
    gate.arrive()
    queue.get()
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    queue.get()
    passed = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"value": 100 * used / passed, "wake-ups/s": (after.ru_nvcsw - before.ru_nvcsw) / passed}
