"""Processes are killed with ``kill -9``: is the other side told, does a replacement carry on, and what stays in /dev/shm?"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import machine, payloads
from ..crew import CONTEXT, SPAWN, Failure, Gate, becomes, finish, result, start
from ..peers import ALIKE
from ..peers.contract import Peer
from ..sampling import Case, Contestant, Figures, Goal
from . import Settings

#: Within so many seconds the survivor is to be told.
TOLD = 1.0

#: So many messages show that a replacement carries on; within so many seconds, its start included; fewer where time is short.
CARRIED, PATIENCE, LITTLE_PATIENCE = 100, 15.0, 3.0

#: Seconds that a stream has to come to its first messages.
START = 15.0

SEVERAL = {
    "told of a producer": "consumer told within 1 s of its producer's death",
    "told of a consumer": "producer told within 1 s of its consumer's death",
    "new producer": "a new producer carries on",
    "new consumer": "a new consumer carries on",
    "left": "files left in /dev/shm",
}


def cases(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """One case."""
    taking_part = [peer for peer in peers if peer.name not in ALIKE and "bytes" in peer.kinds]
    yield Case(
        name="kills",
        title="Killed processes",
        unit="",
        more_is_better=True,
        contestants=[_contestant(peer, LITTLE_PATIENCE if settings.brief else PATIENCE) for peer in taking_part],
        goals=[goal for peer in taking_part if peer.distribution == "ringmail" for goal in _goals(peer.name)],
        timed=False,
        several=SEVERAL,
    )


def _goals(name: str) -> list[Goal]:
    told = [Goal(name, 1.0, figure=figure, always=True) for figure in SEVERAL if figure != "left"]
    return [*told, Goal(name, 0.0, figure="left", more_is_better=False, always=True)]


def _contestant(peer: type[Peer], patience: float) -> Contestant:
    def sample() -> Figures:
        # At once: whoever is not told, and whoever does not carry on, makes it last, and does nothing meanwhile.
        with concurrent.futures.ThreadPoolExecutor(4) as at_once:
            found = {
                "told of a producer": at_once.submit(_is_told, peer, "producer"),
                "told of a consumer": at_once.submit(_is_told, peer, "consumer"),
                "new producer": at_once.submit(_carries_on, peer, "producer", patience),
                "new consumer": at_once.submit(_carries_on, peer, "consumer", patience),
            }
        return {"value": 0.0} | {figure: float(each.result()) for figure, each in found.items()} | {"left": float(_left(peer))}

    return Contestant(peer.name, peer.mode, lambda: sample)


class Diary:
    """What a player did, in memory that outlives it."""

    def __init__(self) -> None:
        self.messages = CONTEXT.RawValue("Q", 0)
        self.told = CONTEXT.RawValue("d", 0.0)

    def reaches(self, count: int, seconds: float) -> bool:
        """Whether it comes that far in time."""
        return becomes(lambda: self.messages.value >= count, seconds)


def _keep_at(diary: Diary, once: Callable[[], Any], most: int) -> None:
    while True:
        if diary.messages.value >= most:
            time.sleep(3600)
        try:
            once()
            diary.messages.value += 1
        except Exception:
            diary.told.value = time.monotonic()
            time.sleep(0.01)


def _produce(queue: Peer, gate: Gate, diary: Diary, most: int) -> None:
    gate.wait()
    value = queue.payload.make()
    queue.open_sender()
    _keep_at(diary, lambda: queue.put(value), most)


def _consume(queue: Peer, gate: Gate, diary: Diary, most: int) -> None:
    queue.open_receiver()
    gate.arrive()
    _keep_at(diary, queue.get, most)


ENDLESS = 1 << 60


@contextlib.contextmanager
def _stream(peer: type[Peer], sends: int, receives: int) -> Iterator[tuple[Peer, list[Any], Diary, Diary, Gate]]:
    queue = peer(payloads.text(20_000), 5)
    queue.sleepy = True
    gate, sent, received = Gate(1), Diary(), Diary()
    players: list[Any] = []
    try:
        players.append(start((_consume, (queue, gate, received, receives))))
        players.append(start((_produce, (queue, gate, sent, sends))))
        if not received.reaches(min(sends, receives, CARRIED), START):
            raise Failure("no message came")
        yield queue, players, sent, received, gate
    finally:
        finish(players)
        with contextlib.suppress(Exception):
            queue.close()


def _kill(players: list[Any], who: str) -> float:
    process, _ = players[0 if who == "consumer" else 1]
    process.kill()
    process.join()
    return time.monotonic()


def _is_told(peer: type[Peer], of: str) -> bool:
    few = 3
    sends, receives = (few, ENDLESS) if of == "producer" else (ENDLESS, few)
    with _stream(peer, sends, receives) as (_, players, sent, received, _):
        survivor = received if of == "producer" else sent
        # Until it waits: nothing comes any more, or there is no more room.
        before = -1
        while before != survivor.messages.value:
            before = survivor.messages.value
            time.sleep(0.2)
        killed = _kill(players, of)
        return becomes(lambda: survivor.told.value >= killed - 0.001, TOLD)


def _carries_on(peer: type[Peer], who: str, patience: float) -> bool:
    with _stream(peer, ENDLESS, ENDLESS) as (queue, players, sent, received, gate):
        _kill(players, who)
        diary = Diary()
        part = (_produce, (queue, gate, diary, ENDLESS)) if who == "producer" else (_consume, (queue, gate, diary, ENDLESS))
        before = received.messages.value
        players.append(start(part))
        # In the other's diary: what a producer writes down may have gone nowhere.
        if who == "producer":
            return diary.reaches(1, patience) and received.reaches(before + CARRIED, patience)
        return diary.reaches(CARRIED, patience)


def _own_everything(peer: type[Peer]) -> None:
    # A group of its own: all are killed at once, and so is what multiprocessing has clean up behind them.
    os.setpgid(0, 0)
    queue = peer(payloads.text(20_000), 5)
    gate, sent, received = Gate(1), Diary(), Diary()
    start((_consume, (queue, gate, received, ENDLESS)), SPAWN)
    start((_produce, (queue, gate, sent, ENDLESS)), SPAWN)
    if not received.reaches(CARRIED, START):
        raise Failure("no message came")
    _held.append(queue)


#: What the owner has, so that it does not go before it is killed.
_held: list[Peer] = []


def _left(peer: type[Peer]) -> int:
    before = machine.shared_memory()
    owner, end = start((_own_everything, (peer,)))
    try:
        if not end.poll(3 * START):
            raise Failure("no message came")
        result(end)
        group = owner.pid
        assert group is not None
        os.killpg(group, signal.SIGKILL)
        owner.join()
        becomes(lambda: not _is_alive(group), 5)
        left = machine.orphans(machine.shared_memory() - before)
        # Others make such files too, and map them a moment later, or remove them.
        becomes(lambda: not left, 0.5)
        left &= machine.orphans(machine.shared_memory() - before)
        for name in left:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(machine.SHM, name))
        return len(left)
    finally:
        finish([(owner, end)])


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
