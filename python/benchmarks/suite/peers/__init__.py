"""What is measured beside Ringmail."""

from __future__ import annotations

from .bare import Bare, BareView
from .cloudtoid import Cloudtoid
from .contract import Peer
from .fifo import FasterFifo
from .iceoryx import Iceoryx
from .own import InPlace, Into, Lent, Many, Ringmail
from .ray import Ray
from .sharedmemory import SharedMemory1, SharedMemory4
from .stdlib import MpPipe, MpQueue
from .zmq import Zmq

#: In the order in which they take turns.
ALL: list[type[Peer]] = [
    Ringmail, Many, Into, InPlace, Lent, MpQueue, MpPipe, SharedMemory4, SharedMemory1, FasterFifo, Zmq, Cloudtoid, Iceoryx,
    Bare, BareView, Ray,
]  # fmt: skip


#: Whose consumers wait in the same calls as another one's, or, as Ray's, make the messages themselves: what is asked of a consumer that
#: waits is not asked of them.
ALIKE = frozenset(peer.name for peer in (Many, Lent, Into, BareView, Ray))


def available(names: list[str]) -> list[type[Peer]]:
    """Those that are there, of these names, or all."""
    unknown = set(names) - {peer.name for peer in ALL}
    if unknown:
        raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(peer.name for peer in ALL)}")
    return [peer for peer in ALL if (not names or peer.name in names) and peer.missing() is None]


def described() -> list[tuple[str, str]]:
    """Every peer, with its version or the reason why it is not there."""
    about = []
    for peer in ALL:
        about.append((peer.name, peer.missing() or peer.version()))
    return about
