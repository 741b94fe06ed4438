"""What both shims of a pair share: how big they are, and how they wait.

Out of time is ``Full`` or ``Empty``, and only who would wait in vain is told that nobody is left.

A ring says `Disconnected` as soon as the other side has gone, whichever way. The originals know of no such end: a worker that
leaves in order is followed by the next. So that is told here where somebody died, and where the caller would wait for ever for
what nobody may send any more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from queue import Empty, Full
from typing import TypeVar

from .._native import Disconnected, Receiver, Sender
from .._pair import pair

_T = TypeVar("_T")

#: Messages of a pair without a capacity.
UNBOUNDED = 1024

#: Seconds after which a call looks whether its endpoint was closed by another thread. Each look of a ``put`` packs its message again.
LOOK, LOOK_PACKED = 0.2, 1.0

#: Seconds between looks for a successor where the other side left in order.
SUCCESSOR = 0.02


def ends(capacity: int | None, max_message_bytes: int | None) -> tuple[Sender, Receiver]:
    """A pair of that capacity, or without one."""
    slots = capacity or UNBOUNDED
    return pair(slots, max_message_bytes=max_message_bytes or None, participants=512)


def limit(block: bool, timeout: float | None) -> float:
    """How many seconds to wait: infinite for None, none without ``block``.

    Raises:
        ValueError: the timeout is not a number.
    """
    if timeout is not None and math.isnan(timeout):
        raise ValueError("timeout is not a number")
    if not block:
        return 0.0
    return math.inf if timeout is None else max(0.0, timeout)


def patiently(
    end: Sender | Receiver, seconds: float, call: Callable[[float], _T], look: float, late: type[Exception]
) -> _T:
    """Repeats ``call``, which is told how long it may wait, until it is done.

    Raises:
        late: not done within so many seconds.
        BrokenPipeError: ``end`` is closed.
        Disconnected: the last process of the other side died; or all senders have left, and a receiver would wait for ever.
    """
    deadline = time.monotonic() + seconds
    left = seconds
    while True:
        if end.closed:
            raise BrokenPipeError(f"{end!r}")
        try:
            return call(min(left, look))
        except (Full, Empty):
            pass
        except Disconnected:
            if died(end) or (seconds == math.inf and isinstance(end, Receiver)):
                raise
            time.sleep(min(left, SUCCESSOR))
        except ValueError:
            if end.closed:
                continue
            raise
        left = deadline - time.monotonic()
        if left <= 0:
            raise late


def died(end: Sender | Receiver) -> bool:
    """Whether a process of the other side died and nobody has taken its place."""
    peers = end.ring.stats()["participants"]
    if isinstance(end, Receiver):
        return any(peer["senders"] and not peer["alive"] for peer in peers)
    return any(peer["receivers"] and not peer["alive"] for peer in peers)
