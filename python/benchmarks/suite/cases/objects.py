"""A dict of four scalars, the nested object of py-sharedmemory's README at 54 MB, and pictures of 1080p."""

from __future__ import annotations

from collections.abc import Iterator

from .. import payloads
from ..peers.contract import Peer
from ..sampling import Case, Goal
from . import Settings, stream


def scalars(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """A dict of four scalars."""
    payload = payloads.other("scalars")
    taking_part = [peer for peer in peers if "object" in peer.kinds and peer.name not in ("ringmail recv", "Ray")]
    yield Case(
        name="scalars",
        title="A dict of four scalars, capacity 1024",
        unit="messages/s",
        more_is_better=True,
        contestants=[stream.contestant(peer, payload, 1024, settings.seconds) for peer in taking_part],
        goals=[Goal(peer.name, 500_000) for peer in taking_part if peer.distribution == "ringmail"],
    )


def nested(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """The nested object."""
    payload = payloads.other("nested")
    taking_part = [peer for peer in peers if "object" in peer.kinds and peer.name != "ringmail many"]
    names = {peer.name for peer in taking_part}
    goals = [Goal("ringmail recv", 1.1, ["hand-written view"])] if {"ringmail recv", "hand-written view"} <= names else []
    yield Case(
        name="nested",
        title="The nested object of py-sharedmemory's README, 54 MB, capacity 2",
        unit="ms a message",
        more_is_better=False,
        contestants=[
            stream.contestant(peer, payload, 2, settings.seconds, lambda rate: 1000 / rate) for peer in taking_part
        ],
        goals=goals,
    )


def frames(peers: list[type[Peer]], settings: Settings) -> Iterator[Case]:
    """Pictures of 1080p in colour."""
    payload = payloads.frame()
    taking_part = [peer for peer in peers if "array" in peer.kinds and peer.name not in ("ringmail many", "Ray")]
    names = {peer.name for peer in taking_part}
    goals = []
    if "ringmail recv" in names and "iceoryx2" in names:
        goals.append(Goal("ringmail recv", 1.0, ["iceoryx2"]))
    if {"ringmail recv", "ringmail loan"} <= names:
        goals.append(Goal("ringmail loan", 1.0, ["ringmail recv"]))
    yield Case(
        name="frames",
        title="Pictures of 1080p, 6.2 MB, capacity 5",
        unit="pictures/s",
        more_is_better=True,
        contestants=[stream.contestant(peer, payload, 5, settings.seconds) for peer in taking_part],
        goals=goals,
    )
