"""Bytes and float32 arrays of all sizes, at a small and a large capacity."""

from __future__ import annotations

from collections.abc import Iterator

from .. import payloads
from ..peers.contract import Peer
from ..sampling import Case, Goal
from . import Settings, stream

OURS = ("ringmail", "ringmail many", "ringmail get_into", "ringmail recv", "ringmail loan")


def cases(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """One for each column of each table."""
    for capacity in settings.capacities:
        for kind, make in (("bytes", payloads.text), ("float32", payloads.floats)):
            for size in settings.sizes:
                if size * capacity > 1_100_000_000 and capacity > 5:
                    # As many long messages would not fit into memory, and say nothing new.
                    continue
                if settings.brief and kind == "bytes" and size >= 1_000_000_000:
                    # Where making a message takes seconds, one kind of it has to do.
                    continue
                # Five messages of a gigabyte at once are not what is measured.
                held = capacity if size < 1_000_000_000 else 2 if size < 5_000_000_000 else 1
                payload = make(size)
                able = [peer for peer in peers if payload.kind in peer.kinds]
                taking_part = [peer for peer in able if _is_sensible(peer, kind, size, capacity, settings.brief)]
                yield Case(
                    name=f"sizes/{kind}/{capacity}/{size}",
                    title=f"{kind} of {named(size)}, capacity {held}",
                    unit="messages/s",
                    more_is_better=True,
                    contestants=[stream.contestant(peer, payload, held, settings.seconds) for peer in taking_part],
                    goals=list(_goals(kind, size, capacity, taking_part)),
                    table=f"{kind}, capacity {capacity}, messages per second",
                    column=size,
                    heading=named(size),
                    lengthy=150.0 if size >= 5_000_000_000 else 0.0,
                )


def _is_sensible(peer: type[Peer], kind: str, size: int, capacity: int, brief: bool) -> bool:
    # Each start of Ray takes seconds, and small messages are not what it is for.
    if peer.name == "Ray":
        return capacity <= 5 and (size >= 100_000_000 and kind == "float32" if brief else size >= 1_000_000)
    # Only what is not copied out fits.
    return not (brief and size >= 5_000_000_000) or peer.mode == "view"


def _goals(kind: str, size: int, capacity: int, peers: list[type[Peer]]) -> Iterator[Goal]:
    names = {peer.name for peer in peers}
    others = [peer for peer in peers if peer.name not in OURS and not peer.name.startswith("hand-written")]
    copying = [peer.name for peer in others if peer.mode == "copy"]
    viewing = [peer.name for peer in others if peer.mode == "view"]
    for subject in ("ringmail", "ringmail many"):
        if subject in names and (subject == "ringmail" or size <= 10_000):
            if copying:
                yield Goal(subject, 1.5, copying)
            if "mp.Queue" in names:
                yield Goal(subject, 5.0, ["mp.Queue"])
    if "ringmail recv" in names:
        # What Ray tells at 1 GB is above one core's memcpy: there it is filling in place that is beside it.
        rivals = [name for name in viewing if name != "Ray" or size < 1_000_000_000]
        if rivals:
            yield Goal("ringmail recv", 1.0, rivals)
        if "hand-written view" in names:
            yield Goal("ringmail recv", 0.9, ["hand-written view"])
    if {"ringmail loan", "Ray"} <= names and size >= 1_000_000_000:
        yield Goal("ringmail loan", 1.0, ["Ray"])
    if size == 10 and kind == "bytes" and "ringmail" in names:
        bound = 2.4e6 if capacity > 5 else 1e6
        yield Goal("ringmail", bound)
        if "ringmail many" in names:
            yield Goal("ringmail many", bound)
    if size == 100_000_000 and kind == "float32":
        for subject in ("ringmail", "ringmail get_into"):
            if subject in names:
                yield Goal(subject, 40)


def named(size: int) -> str:
    """A size in words."""
    for limit, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size >= limit:
            return f"{size / limit:g} {unit}"
    return f"{size} B"
