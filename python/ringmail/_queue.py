"""``Queue``: in the place of ``multiprocessing.Queue``."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.context import BaseContext
from typing import Any, Self, TypeVar

from . import _handles
from ._native import QueueCore


_T = TypeVar("_T")


class Queue(QueueCore[_T]):
    """A queue between any number of producers and consumers, in any processes that are given it.

    It has the verbs of ``multiprocessing.Queue`` and is passed on as that is: as an argument of ``Process``, by inheritance, to a
    ``Pool``'s initialiser, or through another queue.

    Args:
        maxsize: how many messages nobody has received yet there may be, exactly; a ``put`` beyond that waits. 0, or less, is
            4096 of them: a queue has no thread that would keep more.
        max_message_bytes: the longest message in bytes, 16 GiB by default, which is the most. It costs address space and no memory:
            at most about 1 TiB of the 128 that a process has, and less where ``maxsize`` times as much is less.
        participants: how many processes may put or get at once.
        retain_bytes: how much memory for messages beyond 1088 bytes stays with the queue when it is empty; by default as much as they
            took at once, up to an eighth of the machine's memory (256 MiB to 4 GiB).
        allow_pickle: whether ``get`` reads what only Python understands. Without, such a message is an error when it is
            received: for producers that are not trusted to run code here.
        ctx: taken for the sake of ``multiprocessing.Queue`` and not needed.

    Raises:
        ValueError: a size that no ring can have.
        OSError: ``ENOSPC`` or ``ENOMEM``; the queue was not made.

    A process counts as a producer from its first ``put`` on, as a consumer from its first ``get``, until it closes the queue or
    ends; a child that is given the queue as an argument counts as both from its start until the first of them. A call that would wait raises `Disconnected` when the last process of the other side has died, or ended by an exception,
    once for each death; then the next call waits for a successor. Producers that end in order are no reason: others may follow.
    """

    def __new__(
        cls,
        maxsize: int = 0,
        *,
        max_message_bytes: int | None = None,
        participants: int = 512,
        retain_bytes: int | None = None,
        allow_pickle: bool = True,
        ctx: BaseContext | None = None,
    ) -> Self:
        self = super().__new__(cls, maxsize, max_message_bytes, participants, retain_bytes, allow_pickle)
        _handles.watch(self)
        return self

    def __init__(self, maxsize: int = 0, **options: Any) -> None:
        """See the class."""

    def __reduce__(self) -> tuple[Callable[..., Queue[_T]], tuple[Any, ...]]:
        if self.closed:
            raise ValueError(f"{self!r} cannot be passed on")
        return _rebuild, (type(self), self.maxsize, self.allow_pickle, _handles.duplicate(self.fileno()))


def _rebuild(cls: type[Queue[_T]], maxsize: int, allow_pickle: bool, duplicated: Any) -> Queue[_T]:
    fd = _handles.detach(duplicated)
    try:
        queue = QueueCore.__new__(cls, maxsize, None, 1, None, allow_pickle, fd)
    finally:
        os.close(fd)
    _handles.watch(queue)
    _handles.rebuilt(queue)
    return queue
