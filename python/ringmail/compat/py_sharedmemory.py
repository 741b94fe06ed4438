"""py-sharedmemory 4.x over a ring: ``create_shared_memory_pair`` and its two endpoints.

What is better here:

- Messages of a few bytes need no system call, and a message that was got has left its room when ``get`` returns.
- What was put is received, whether its producer has closed, ended or died since: nothing is discarded, there is no
  ``FileNotFoundError`` and nothing to warn of.
- Any number of processes may put, at any time; a sender may be passed on after it was used.
- A killed peer is told: `ringmail.Disconnected`, a ``BrokenPipeError``, instead of a wait for ever or of `queue.Full` or `queue.Empty`. So is
  the end of the stream, to a ``get`` without a timeout.
- ``has_space``, ``get_many`` and messages in place are there, on the endpoints of `ringmail.pair`.

What differs: ``capacity=0`` is 1024 messages, after which ``put`` waits; and a message has 16 GiB at most. That costs address space: some 120
pairs fit into a process, and more where ``max_message_bytes``, which the original does not have, says less.
"""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.context import BaseContext
from queue import Empty, Full
from types import TracebackType
from typing import Any, Self

from .. import _handles
from .._native import Receiver, Sender
from ._ends import LOOK, LOOK_PACKED, ends, limit, patiently

__all__ = ["SharedMemoryReceiver", "SharedMemorySender", "create_shared_memory_pair"]


def create_shared_memory_pair(
    capacity: int | None = 0, *, ctx: BaseContext | None = None, max_message_bytes: int | None = None
) -> tuple[SharedMemorySender, SharedMemoryReceiver]:
    """A sender and a receiver, to be passed to processes as arguments, under any start method.

    Args:
        capacity: how many messages that nobody has received there may be; 0 or None is 1024.
        ctx: taken for the sake of py-sharedmemory and not needed.
        max_message_bytes: the longest message in bytes, 16 GiB by default; it costs address space, at most about 1 TiB a pair.

    Raises:
        TypeError: the capacity is no integer.
        ValueError: it is negative.
        OSError: ``ENOSPC`` or ``ENOMEM``.
    """
    if capacity is not None and (not isinstance(capacity, int) or isinstance(capacity, bool)):
        raise TypeError(f"capacity is an integer or None, not {capacity!r}")
    if capacity is not None and capacity < 0:
        raise ValueError(f"capacity is negative: {capacity}")
    sender, receiver = ends(capacity, max_message_bytes)
    return SharedMemorySender(capacity, sender), SharedMemoryReceiver(receiver)


class SharedMemorySender:
    """The producing end, made by `create_shared_memory_pair`."""

    def __init__(self, capacity: int | None, sender: Sender) -> None:
        self.capacity = capacity
        self._sender = sender
        _handles.watch(self)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._sender.closed

    def put(self, data: Any, block: bool = True, timeout: float | None = None) -> None:
        """Sends a value; copies it once, into shared memory.

        Args:
            data: anything that can be pickled.
            block: whether to wait while ``capacity`` messages have not been received.
            timeout: for how many seconds at most; None and infinity are for ever.

        Raises:
            queue.Full: no room in time.
            BrokenPipeError: this sender is closed; or, as `ringmail.Disconnected`, no room and the last consumer died.
            OSError: ``ENOSPC``: no shared memory for the message; the sender stays usable.
            ValueError: the message is longer than the ring allows, or the timeout is not a number.
        """
        put = self._sender.put
        patiently(self._sender, limit(block, timeout), lambda left: put(data, timeout=left), LOOK_PACKED, Full)

    def put_nowait(self, data: Any) -> None:
        """``put(data, block=False)``."""
        self.put(data, block=False)

    def wait_for_all_ack(self, timeout: float | None = None) -> bool:
        """Waits until everything that was put here has been received; says whether it was, within so many seconds.

        Raises:
            BrokenPipeError: this sender is closed; or, as `ringmail.Disconnected`, messages are left and the last consumer died.
        """

        def wait(left: float) -> None:
            if not self._sender.wait_for_all_ack(left):
                raise Full

        try:
            patiently(self._sender, limit(True, timeout), wait, LOOK, Full)
        except Full:
            return False
        return True

    def close(self) -> None:
        """Ends this process's part. What was put stays to be received."""
        self._sender.close()

    def _abandon(self) -> None:
        """The kernel says that this process died."""

    def __enter__(self) -> Self:
        if self.closed:
            raise BrokenPipeError(f"{self._sender!r}")
        return self

    def __exit__(
        self, class_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., SharedMemorySender], tuple[int | None, Sender]]:
        return SharedMemorySender, (self.capacity, self._sender)


class SharedMemoryReceiver:
    """The consuming end, made by `create_shared_memory_pair`. Threads and processes may share it: one of them gets each message."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        _handles.watch(self)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._receiver.closed

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next value: a copy of its own, whose arrays are as writable as they were.

        Args:
            block: whether to wait for one.
            timeout: for how many seconds at most; None and infinity are for ever.

        Raises:
            queue.Empty: nothing in time.
            BrokenPipeError: this receiver is closed; or, as `ringmail.Disconnected`, there is nothing and the last producer died,
                or, for a call that would wait for ever, left.
            ValueError: the timeout is not a number.

        What cannot be unpickled raises what unpickling raised, and is gone.
        """
        get = self._receiver.get
        return patiently(self._receiver, limit(block, timeout), lambda left: get(timeout=left), LOOK, Empty)

    def get_nowait(self) -> Any:
        """``get(block=False)``."""
        return self.get(block=False)

    def close(self) -> None:
        """Ends this process's part. A ``get`` that another thread waits in ends with ``BrokenPipeError``."""
        self._receiver.close()

    def _abandon(self) -> None:
        """The kernel says that this process died."""

    def __enter__(self) -> Self:
        if self.closed:
            raise BrokenPipeError(f"{self._receiver!r}")
        return self

    def __exit__(
        self, class_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., SharedMemoryReceiver], tuple[Receiver]]:
        return SharedMemoryReceiver, (self._receiver,)
