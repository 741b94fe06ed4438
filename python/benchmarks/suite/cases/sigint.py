"""Ctrl-C while a consumer waits for a message: how long until it hears of it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator

from .. import payloads
from ..crew import CONTEXT, Failure, becomes, finish, start
from ..peers import ALIKE
from ..peers.contract import Peer
from ..sampling import Case, Contestant, Figures, Goal
from . import Settings

#: Interruptions of one consumer, and seconds after which it counts as deaf.
TIMES, PATIENCE = 4, 1.0


def cases(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """One case."""
    taking_part = [peer for peer in peers if peer.name not in ALIKE and "bytes" in peer.kinds]
    yield Case(
        name="sigint",
        title="Ctrl-C in a get that waits",
        unit="ms, slowest",
        more_is_better=False,
        contestants=[_contestant(peer) for peer in taking_part],
        goals=[Goal(peer.name, 100.0, always=True) for peer in taking_part if peer.distribution == "ringmail"],
        timed=False,
    )


def _contestant(peer: type[Peer]) -> Contestant:
    def sample() -> Figures:
        queue = peer(payloads.text(64), 5)
        queue.sleepy = True
        diary = Diary()
        players = [start((_wait, (queue, diary)))]
        try:
            delays = [_interrupt(players[0][0].pid, diary, number) for number in range(TIMES)]
            heard = [delay for delay in delays if delay is not None]
            return {"value": 1000 * max(heard, default=PATIENCE) if len(heard) == TIMES else 1000 * PATIENCE, "heard": len(heard)}
        finally:
            finish(players)
            queue.close()

    return Contestant(peer.name, peer.mode, lambda: sample)


class Diary:
    """What the consumer does, as others can see it."""

    def __init__(self) -> None:
        #: Calls of `get` that were made, those that were interrupted, and when the last was.
        self.calls, self.heard, self.at = CONTEXT.RawValue("Q", 0), CONTEXT.RawValue("Q", 0), CONTEXT.RawValue("d", 0.0)


def _wait(queue: Peer, diary: Diary) -> None:
    # Where all this was started in the background, it would be ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    queue.open_receiver()
    while True:
        try:
            diary.calls.value += 1
            try:
                queue.get()
            except Exception:
                # A library's own word for it. Python's follows, as everywhere.
                time.sleep(0.001)
        except KeyboardInterrupt:
            diary.at.value = time.monotonic()
            diary.heard.value += 1


def _interrupt(pid: int, diary: Diary, number: int) -> float | None:
    """Seconds from the signal until it was heard; `None` if it was not."""
    if not becomes(lambda: diary.calls.value > number, 10.0 if number == 0 else 0.0):
        if number == 0:
            raise Failure("it never came to wait")
        return None
    # Long enough to be asleep; and at no fixed time, as some look whether there was a signal now and then.
    time.sleep(0.1 + random.uniform(0.0, 0.1))
    sent = time.monotonic()
    os.kill(pid, signal.SIGINT)
    return diary.at.value - sent if becomes(lambda: diary.heard.value > number, PATIENCE) else None
