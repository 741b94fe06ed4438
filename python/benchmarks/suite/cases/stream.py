"""A sample of a stream: one producer, one consumer, so many messages; what most cases are made of."""

from __future__ import annotations

import time
from collections.abc import Callable

from .. import machine
from ..crew import LIMIT, Failure, Gate, play
from ..payloads import Payload
from ..peers.contract import Peer
from ..sampling import Contestant, Figures, Stream

#: Numbered messages that are looked at in full before anything is timed, at most.
CHECKED = 12

#: Messages of a sample, with those that are not timed, where each takes so long that no fewer will do.
FEWEST = 8

#: Beyond so many bytes a message takes long to make and to compare.
LONG = 10_000_000

#: And beyond so many, one more of them is a matter of seconds.
HUGE = 1_000_000_000


def contestant(
    peer: type[Peer], payload: Payload, capacity: int, seconds: float, figure: Callable[[float], float] = float
) -> Contestant:
    """A peer that moves such messages; ``figure`` makes its figure of messages per second."""

    def prepare() -> Stream:
        need = peer.need(payload.nbytes, capacity) if payload.nbytes * capacity >= 100_000_000 else 0
        if need > machine.room():
            raise Failure(f"takes {need / 1e9:.0f} GB, which are not there")
        rate = _checked(peer, payload, capacity)
        count = max(3 if rate > 1 else 2, min(int(rate * seconds), 3_000_000))
        # Into memory that is warm, as far as it will be.
        warm = max(count // 10, min(capacity, count) + 2 if payload.nbytes > 10_000 else 10)
        if payload.nbytes >= HUGE:
            warm = capacity
            # Who takes seconds for one shows with it how many.
            count = 1 if rate < 0.5 else count

        def sample() -> Figures:
            made = peer(payload, capacity)
            try:
                gate = Gate(1)
                parts = ((_consume, (made, gate, warm, count)), (_produce, (made, gate, warm + count)))
                (taken,) = play(*parts, limit=60 + 20 * (warm + count) / rate)
                return {"value": figure(taken)}
            finally:
                made.close()

        # A sample of more has fewer of messages that take longer.
        return Stream(sample, min(warm + count, FEWEST))

    return Contestant(peer.name, peer.mode, prepare)


def _checked(peer: type[Peer], payload: Payload, capacity: int) -> float:
    """Messages per second, roughly, of a peer that delivered what was sent."""
    made = peer(payload, capacity)
    try:
        gate, count = Gate(1), CHECKED if payload.nbytes < LONG else 2 if payload.nbytes < HUGE else 1
        # Pages that are touched first cost a microsecond each, on both sides.
        limit = LIMIT + payload.nbytes / 50e6
        return float(play((_verify, (made, gate, count)), (_produce_numbered, (made, gate, count)), limit=limit)[0])
    finally:
        made.close()


def _produce(peer: Peer, gate: Gate, count: int) -> None:
    value = peer.numbered()
    gate.wait()
    peer.open_sender()
    peer.pump(value, count)


def _consume(peer: Peer, gate: Gate, warm: int, count: int) -> float:
    peer.open_receiver()
    gate.arrive()
    peer.drain(warm)
    start = time.perf_counter()
    peer.drain(count)
    return count / (time.perf_counter() - start)


def _produce_numbered(peer: Peer, gate: Gate, count: int) -> None:
    gate.wait()
    peer.open_sender()
    for number in range(count):
        peer.put(peer.numbered(number))
    value = peer.numbered()
    while True:
        peer.pump(value, 1 if peer.payload.nbytes >= 1_000_000 else 512)


def _verify(peer: Peer, gate: Gate, count: int) -> float:
    peer.open_receiver()
    gate.arrive()
    for number in range(count):
        if not peer.payload.is_it(peer.get(), number):
            raise AssertionError(f"message {number} is not what was sent")
    peer.let_go()
    if peer.payload.nbytes < HUGE:
        peer.drain(1 if peer.payload.nbytes >= LONG else 8)
    batch = 1
    while True:
        start = time.perf_counter()
        peer.drain(batch)
        passed = time.perf_counter() - start
        if passed > 0.05:
            return batch / passed
        batch *= 2
