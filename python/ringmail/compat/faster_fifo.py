"""faster-fifo over a ring: ``Queue(max_size_bytes)`` with ``get_many`` and ``put_many``.

What is better here:

- ``timeout=None`` and infinity wait for ever, and Ctrl-C ends a wait at once. The default is still 10 seconds.
- A message longer than ``max_size_bytes`` is sent, up to 16 GiB; one that can never be is a ``ValueError`` at once.
- A killed process keeps nobody from going on, and where it was the last of its side that is told: `ringmail.Disconnected`.
- There is no `queue.Empty` for a message that another consumer was quicker to take, before the time is up.
- Arrays come back in the byte order that they had, and small values never see pickle.
- The memory of a big queue is taken when it is needed.

What differs is how much fits. The original has ``max_size_bytes`` of memory and takes as many messages as their pickles and 8 bytes each fit
into it. A ring has slots: one for every 256 bytes of ``max_size_bytes``, 64 at least and 32768 at most, and ``maxsize`` at most. A slot takes 1152 bytes from the start, so a queue of the default
1,000,000 bytes has 3906 messages and takes 4.5 MB; what is longer than 1088 bytes gets memory when it is put, whatever ``max_size_bytes`` says.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from queue import Empty, Full
from typing import Any

from .. import _queue

__all__ = ["DEFAULT_CIRCULAR_BUFFER_SIZE", "DEFAULT_TIMEOUT", "Empty", "Full", "Queue", "QueueError"]

#: Seconds.
DEFAULT_TIMEOUT = 10.0

#: Bytes.
DEFAULT_CIRCULAR_BUFFER_SIZE = 1_000_000

_NO_LIMIT = 1_000_000_000

#: Bytes of ``max_size_bytes`` to a slot.
_SHARE = 256


def _slots(max_size_bytes: int, maxsize: int) -> int:
    return min(max(64, min(max_size_bytes // _SHARE, 32768)), maxsize)


class QueueError(Exception):
    """A call that makes no sense."""


class Queue:
    """A queue between any number of producers and consumers, passed on as a `ringmail.Queue` is.

    Args:
        max_size_bytes: how big it is; see above how many messages that makes.
        maxsize: how many messages fit at most.
        loads: makes a value of a ``memoryview`` of bytes, in the place of pickle; it must be given to other processes, so a function
            of a module. A subclass may define it as a method instead.
        dumps: makes bytes of a value, likewise.

    Raises:
        ValueError: a size that no ring can have.
        OSError: ``ENOSPC`` or ``ENOMEM``.

    A timeout is in seconds, 10 of them by default; None and infinity are for ever.
    """

    def __init__(
        self,
        max_size_bytes: int = DEFAULT_CIRCULAR_BUFFER_SIZE,
        maxsize: int = _NO_LIMIT,
        loads: Callable[[Any], Any] | None = None,
        dumps: Callable[[Any], bytes] | None = None,
    ) -> None:
        if max_size_bytes < 1 or maxsize < 1:
            raise ValueError(f"max_size_bytes and maxsize are 1 and up: {max_size_bytes}, {maxsize}")
        self.max_size_bytes = max_size_bytes
        self.maxsize = maxsize
        own = (type(self).loads, type(self).dumps) != (Queue.loads, Queue.dumps)
        self._is_bytes = own or loads is not None or dumps is not None
        self._loads = loads
        self._dumps = dumps
        #: The original's buffer for what it receives, and its last error: here there is none.
        self.message_buffer: Any = None
        self.last_error: str | None = None
        slots = _slots(max_size_bytes, maxsize)
        self._queue: _queue.Queue[Any] = _queue.Queue(slots)
        # Says that it is closed, and nothing else: what is in the queue can still be received.
        self._flag: _queue.Queue[Any] = _queue.Queue(1, max_message_bytes=1, participants=1)

    def loads(self, msg_bytes: Any) -> Any:
        """Makes a value of bytes: by ``loads`` if that was given, else by pickle."""
        return pickle.loads(msg_bytes) if self._loads is None else self._loads(msg_bytes)

    def dumps(self, obj: Any) -> bytes:
        """Makes bytes of a value: by ``dumps`` if that was given, else by pickle."""
        return bytes(ForkingPickler.dumps(obj)) if self._dumps is None else self._dumps(obj)

    def put(self, x: Any, block: bool = True, timeout: float | None = DEFAULT_TIMEOUT) -> None:
        """Puts a value into the queue.

        Raises:
            queue.Full: no room in time.
            ringmail.Disconnected: no room, and the last consumer died.
            ValueError: longer than 16 GiB.
            OSError: ``ENOSPC``: no memory for the message; the queue stays usable.
        """
        self._queue.put(self.dumps(x) if self._is_bytes else x, block, timeout)

    def put_nowait(self, x: Any) -> None:
        """``put(x, block=False)``."""
        self.put(x, False)

    def put_many(
        self, xs: list[Any] | tuple[Any, ...], block: bool = True, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Puts values into the queue in order, others of other producers between them.

        The original puts all or none. A ring cannot promise that, and need not have room for all at once: they are put one by one.

        Raises:
            queue.Full: no room for all of them in time; ``sent`` of the exception says how many are in the queue.
            QueueError: ``xs`` is neither a list nor a tuple.
        """
        if not isinstance(xs, (list, tuple)):
            raise QueueError(f"put_many takes a list or a tuple, not {type(xs)}")
        sent = 0
        if xs:
            try:
                sent = self._queue.put_many(map(self.dumps, xs) if self._is_bytes else xs, block, timeout)
            except Full:
                pass
        if sent < len(xs):
            full = Full(f"{sent} of {len(xs)} are in the queue")
            setattr(full, "sent", sent)
            raise full

    def put_many_nowait(self, xs: list[Any] | tuple[Any, ...]) -> None:
        """``put_many(xs, block=False)``."""
        self.put_many(xs, False)

    def get(self, block: bool = True, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
        """Takes a value out of the queue.

        Raises:
            queue.Empty: nothing in time.
            ringmail.Disconnected: nothing there, and the last producer died.
        """
        got = self._queue.get(block, timeout)
        return self.loads(memoryview(got)) if self._is_bytes else got

    def get_nowait(self) -> Any:
        """``get(block=False)``."""
        return self.get(False)

    def get_many(
        self, block: bool = True, timeout: float | None = DEFAULT_TIMEOUT, max_messages_to_get: int = _NO_LIMIT
    ) -> list[Any]:
        """Takes values out of the queue: waits for the first, as `get` does, and takes what else is there."""
        got = self._queue.get_many(min(max_messages_to_get, self._queue.capacity), block, timeout)
        return [self.loads(memoryview(each)) for each in got] if self._is_bytes else got

    def get_many_nowait(self, max_messages_to_get: int = _NO_LIMIT) -> list[Any]:
        """``get_many(block=False)``."""
        return self.get_many(False, max_messages_to_get=max_messages_to_get)

    def qsize(self) -> int:
        """How many messages there are."""
        return self._queue.qsize()

    def empty(self) -> bool:
        """Whether there are none. Others may change that at once."""
        return self._queue.empty()

    def full(self) -> bool:
        """Whether a ``put`` would have to wait. Others may change that at once."""
        return self._queue.full()

    def data_size(self) -> int:
        """How many bytes the messages that there are take, memory beside their slots included; 0 of an empty queue."""
        stats = self._queue.stats()
        return stats["in_use_bytes"] if stats["backlog"] else 0

    def reallocate_msg_buffer(self, new_size: int) -> None:
        """Does nothing: a message of any length is received without a buffer."""

    def close(self) -> None:
        """Has `is_closed` say so, in every process. It ends nothing: that is for whoever asks."""
        self._flag.ring.close()

    def is_closed(self) -> bool:
        """Whether any process has closed it."""
        return self._flag.ring.closed

    def join_thread(self) -> None:
        """Does nothing: there is no thread."""

    def cancel_join_thread(self) -> None:
        """Does nothing: a queue never keeps a process from ending."""
