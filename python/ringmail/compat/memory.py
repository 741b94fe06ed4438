"""py-sharedmemory 1.x, whose package was called ``memory``, over a ring: ``create_shared_memory_pair`` and its two endpoints.

What is better here:

- Whatever can be pickled is sent, cyclic and deep containers too; a float comes back as a float, a big-endian array as one, and an
  empty array or ``b""`` costs no slot for ever.
- ``get_nowait`` can tell None from nothing, by its ``default``.
- Any number of processes may put and get.
- A killed peer is told: `ringmail.Disconnected`, a ``BrokenPipeError``, instead of a wait for ever. So is the end of the stream, to a ``get``
  without a timeout.

What differs: ``capacity=0`` is 1024 messages; a message has 16 GiB at most, or ``max_message_bytes``, which the original does not have; and
there are no ``SharedMemory`` handles, hence no ``open_handles`` and ``close_all``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from queue import Empty, Full
from typing import Any

from .. import _handles
from .._native import Receiver, Sender
from ._ends import LOOK, LOOK_PACKED, ends, limit, patiently

__all__ = ["SharedMemoryReceiver", "SharedMemorySender", "create_shared_memory_pair"]


def create_shared_memory_pair(
    capacity: int, *, max_message_bytes: int | None = None
) -> tuple[SharedMemorySender, SharedMemoryReceiver]:
    """A sender and a receiver, to be passed to processes as arguments.

    Args:
        capacity: how many messages that nobody has received there may be; 0 is 1024.
        max_message_bytes: the longest message in bytes, 16 GiB by default; it costs address space, at most about 1 TiB a pair.

    Raises:
        ValueError: a capacity that no ring can have.
        OSError: ``ENOSPC`` or ``ENOMEM``.
    """
    sender, receiver = ends(capacity, max_message_bytes)
    return SharedMemorySender(capacity, sender), SharedMemoryReceiver(receiver)


class SharedMemorySender:
    """The producing end, made by `create_shared_memory_pair`."""

    def __init__(self, capacity: int, sender: Sender) -> None:
        self.capacity = capacity
        self._sender = sender
        _handles.watch(self)

    def put(self, data: Any) -> None:
        """Sends a value; waits for as long as there is no room.

        Raises:
            ringmail.Disconnected: no room, and the last consumer died.
            OSError: ``ENOSPC``: no shared memory for the message; the sender stays usable.
            ValueError: the message is longer than the ring allows.
        """
        put = self._sender.put
        patiently(self._sender, math.inf, lambda left: put(data, timeout=left), LOOK_PACKED, Full)

    def has_space(self) -> bool:
        """Whether a message put now would find room."""
        return self._sender.has_space()

    def wait_for_all_ack(self) -> None:
        """Waits until everything that was put here has been received.

        Raises:
            ringmail.Disconnected: messages are left, and the last consumer died.
        """

        def wait(left: float) -> None:
            if not self._sender.wait_for_all_ack(left):
                raise Full

        patiently(self._sender, math.inf, wait, LOOK, Full)

    def close(self) -> None:
        """Ends this process's part, as the end of the process does. What was put stays to be received."""
        self._sender.close()

    def _abandon(self) -> None:
        """The kernel says that this process died."""

    def __reduce__(self) -> tuple[Callable[..., SharedMemorySender], tuple[int, Sender]]:
        return SharedMemorySender, (self.capacity, self._sender)


class SharedMemoryReceiver:
    """The consuming end, made by `create_shared_memory_pair`."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        _handles.watch(self)

    def get(self, timeout: float | None = None) -> Any:
        """The next value: a copy of its own.

        Args:
            timeout: for how many seconds to wait at most; None is for ever.

        Raises:
            queue.Empty: nothing in time.
            ringmail.Disconnected: there is nothing and the last producer died, or, for a call that would wait for ever, left.
        """
        get = self._receiver.get
        return patiently(self._receiver, limit(True, timeout), lambda left: get(timeout=left), LOOK, Empty)

    def get_nowait(self, default: Any = None) -> Any:
        """The next value, or ``default`` where there is none: something that nobody sends tells it from a None that was sent.

        Raises:
            ringmail.Disconnected: there is nothing, and the last producer died.
        """
        try:
            return self.get(timeout=0)
        except Empty:
            return default

    def close(self) -> None:
        """Ends this process's part, as the end of the process does."""
        self._receiver.close()

    def _abandon(self) -> None:
        """The kernel says that this process died."""

    def __reduce__(self) -> tuple[Callable[..., SharedMemoryReceiver], tuple[Receiver]]:
        return SharedMemoryReceiver, (self._receiver,)
