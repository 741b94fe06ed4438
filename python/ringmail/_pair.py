"""``pair``: one direction from a sender to a receiver, each of which can be passed to another process."""

from __future__ import annotations

import copyreg
import os
from collections.abc import Callable
from typing import Any

from . import _handles
from ._native import Receiver, Ring, Sender


def pair(
    capacity: int,
    *,
    max_message_bytes: int | None = None,
    participants: int = 64,
    retain_bytes: int | None = None,
    allow_pickle: bool = True,
) -> tuple[Sender, Receiver]:
    """A sender and a receiver of a ring without a name, to be kept or passed to other processes.

    Args:
        capacity: how many messages that nobody has acknowledged there may be, exactly: 1 and up.
        max_message_bytes: the longest message in bytes, as for `Queue`.
        participants: how many processes may take part at once.
        retain_bytes: how much memory for messages beyond 1088 bytes stays with the ring when it is empty.
        allow_pickle: whether the receiver reads what only Python understands.

    Raises:
        ValueError: a size that no ring can have.
        OSError: ``ENOSPC`` or ``ENOMEM``.

    A side takes part from its first use on, so whoever merely passes it on does not count; in a child that is given it as an argument, from
    the child's start. When all senders have closed theirs, left
    or died, a receiver gets what was sent and then `Disconnected`, and a loop over it ends; a sender that finds the ring full
    and no receiver left gets `Disconnected`.
    """
    ring = Ring.anonymous(
        capacity, max_message_bytes=max_message_bytes, participants=participants, retain_bytes=retain_bytes
    )
    return ring.sender(lazy=True), ring.receiver(allow_pickle=allow_pickle, lazy=True)


def _rebuild_sender(duplicated: Any) -> Sender:
    fd = _handles.detach(duplicated)
    try:
        sender = Sender._of_fd(fd)
    finally:
        os.close(fd)
    _handles.rebuilt(sender)
    return sender


def _rebuild_receiver(duplicated: Any, allow_pickle: bool) -> Receiver:
    fd = _handles.detach(duplicated)
    try:
        receiver = Receiver._of_fd(fd, allow_pickle)
    finally:
        os.close(fd)
    _handles.rebuilt(receiver)
    return receiver


def _reduce_sender(sender: Sender) -> tuple[Callable[..., Sender], tuple[Any, ...]]:
    if sender.closed:
        raise ValueError(f"{sender!r} cannot be passed on")
    return _rebuild_sender, (_handles.duplicate(sender.fileno()),)


def _reduce_receiver(receiver: Receiver) -> tuple[Callable[..., Receiver], tuple[Any, ...]]:
    if receiver.closed:
        raise ValueError(f"{receiver!r} cannot be passed on")
    return _rebuild_receiver, (_handles.duplicate(receiver.fileno()), receiver.allow_pickle)


copyreg.pickle(Sender, _reduce_sender)
copyreg.pickle(Receiver, _reduce_receiver)
