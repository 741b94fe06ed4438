"""The native part of the package."""

import builtins
from collections.abc import Coroutine, Iterable, Sequence
from types import GenericAlias, TracebackType
from typing import Any, Generic, Self, SupportsIndex, TypedDict, TypeVar, final

from numpy.typing import DTypeLike, NDArray
from typing_extensions import Buffer, disjoint_base

__all__ = [
    "Bell",
    "Disconnected",
    "Handle",
    "Loan",
    "Message",
    "QueueCore",
    "Receiver",
    "Ring",
    "Sender",
    "Source",
    "Turn",
    "View",
    "keep_warm",
]

_T = TypeVar("_T")

class _Participant(TypedDict):
    pid: int
    senders: int
    receivers: int
    alive: bool

class _Stats(TypedDict):
    capacity: int
    max_message_bytes: int
    backlog: int
    held: int
    sent: int
    received: int
    acked: int
    redelivered: int
    rejected: int
    dropped: int
    reaped: int
    segment_bytes: int
    committed_bytes: int
    in_use_bytes: int
    closed: bool
    participants: list[_Participant]

class _Recovered(TypedDict):
    participants: int
    reaped: int
    returned: int
    dropped: int

class Disconnected(BrokenPipeError):
    """Nobody is left on the other side, or the stream was closed: waiting would be for ever."""

@final
class Ring:
    """A ring that this process has open. It takes no part itself: senders and receivers do."""

    @staticmethod
    def create(
        name: str,
        capacity: int = 1024,
        *,
        max_message_bytes: int | None = None,
        participants: int = 64,
        redelivery: int | None = None,
        keep_open: bool = False,
        retain_bytes: int | None = None,
        spin: float | None = None,
        mode: int | None = None,
        prefault: bool = False,
    ) -> Ring:
        """Creates a ring under a name, for processes that know nothing of each other but that name.

        A ring of that name whose processes are all gone is replaced. The name goes with the last process that leaves the ring in
        order and empty.

        Args:
            name: 1 to 200 characters of ``A-Z a-z 0-9 . _ -``.
            capacity: how many messages that nobody has acknowledged fit, exactly.
            max_message_bytes: the longest message in bytes, 8192 at least; 16 GiB by default, which is the most. It costs address
                space, at most about 1 TiB of the 128 that a process has, and less where ``capacity`` times as much is less.
            participants: how many processes may take part at once, up to 1000.
            redelivery: how many more times a message is delivered whose receiver died or rejected it, 0 to 14; for ever if None.
            keep_open: waits for a successor when nobody is left on the other side, instead of `Disconnected`.
            retain_bytes: how much memory for messages beyond 1088 bytes stays with the ring when it is empty; by default as much as
                they took at once, up to an eighth of the machine's memory (256 MiB to 4 GiB).
            spin: how many seconds a waiter spins at most before it sleeps; 50 us by default.
            mode: permission bits, 0o600 by default; reading and writing go together.
            prefault: touches all memory before the first message.

        Raises:
            FileExistsError: somebody alive has a ring of that name open.
            ValueError: an option out of bounds.
            OSError: ``ENOSPC``: shared memory is full; ``ENOMEM``: no address space.
        """

    @staticmethod
    def open(name: str) -> Ring:
        """Opens the ring of a name.

        Raises:
            FileNotFoundError: there is none.
            PermissionError: it is another user's.
            ValueError: what is there is no ring, or one of another kind: only ``mpmc`` rings of ``[u8]`` are.
        """

    @staticmethod
    def open_or_create(
        name: str,
        capacity: int = 1024,
        *,
        max_message_bytes: int | None = None,
        participants: int = 64,
        redelivery: int | None = None,
        keep_open: bool = False,
        retain_bytes: int | None = None,
        spin: float | None = None,
        mode: int | None = None,
        prefault: bool = False,
    ) -> Ring:
        """Opens the ring of a name, or creates it: whoever comes first creates. One that is there keeps its options."""

    @staticmethod
    def anonymous(
        capacity: int = 1024,
        *,
        max_message_bytes: int | None = None,
        participants: int = 64,
        redelivery: int | None = None,
        keep_open: bool = False,
        retain_bytes: int | None = None,
        spin: float | None = None,
        prefault: bool = False,
    ) -> Ring:
        """Creates a ring without a name, in memory that vanishes with the last process that has it."""

    @staticmethod
    def from_fd(fd: int) -> Ring:
        """Opens the ring behind a file descriptor, which is duplicated and stays the caller's."""

    @staticmethod
    def unlink(name: str) -> None:
        """Removes a name, whoever has the ring open: they keep it, and nobody finds it any more."""

    @staticmethod
    def list() -> builtins.list[str]:
        """The names of all rings there are."""

    def sender(self, *, lazy: bool = False) -> Sender:
        """A sender. It takes part at once, or from its first use on if ``lazy``.

        Raises:
            OSError: ``EUSERS``: as many processes as may take part already.
        """

    def receiver(self, *, allow_pickle: bool = True, lazy: bool = False) -> Receiver:
        """A receiver; without ``allow_pickle`` it refuses what only Python understands."""

    def stats(self) -> _Stats:
        """The ring's figures and who takes part, at one moment. Looks at every slot and asks the kernel about every process."""

    def recover(self) -> _Recovered:
        """Does now, for everybody who died, what is otherwise done by whoever meets what they left; says what there was."""

    def close(self) -> None:
        """Ends the stream for everybody: receivers get what was sent, then `Disconnected`; senders get it at once."""

    @property
    def closed(self) -> bool:
        """Whether the stream was ended."""

    @property
    def capacity(self) -> int:
        """How many messages that nobody has acknowledged fit."""

    @property
    def max_message_bytes(self) -> int:
        """The longest message in bytes, the description of arrays and their padding to 64 bytes included."""

    def fileno(self) -> int:
        """The descriptor of the ring's memory, to be passed to another process."""

@disjoint_base
class Handle:
    """A handle of a ring: what queues, senders and receivers have in common.

    In a ``with`` statement it is closed at the end.
    """

    def close(self) -> None:
        """Leaves the ring, as far as this object goes. What it sent is there for the others.

        Receivers of a `pair` or a named ring get the end of the stream when every sender has left. A call that another thread waits
        in finishes first.
        """

    @property
    def closed(self) -> bool:
        """Whether this object was closed."""

    @property
    def ring(self) -> Ring:
        """The ring."""

    @property
    def capacity(self) -> int:
        """How many messages that nobody has acknowledged fit."""

    @property
    def max_message_bytes(self) -> int:
        """The longest message in bytes."""

    def qsize(self) -> int:
        """Messages that nobody has acknowledged, held ones included."""

    def fileno(self) -> int:
        """The descriptor of the ring's memory."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, class_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

@disjoint_base
class Source(Handle, Generic[_T]):
    """A handle that values come out of."""

    def get(self, block: bool = True, timeout: float | None = None) -> _T:
        """The next value: a copy, of which nothing lies in the ring any more.

        Args:
            block: whether to wait for one.
            timeout: for how many seconds at most; None is for ever.

        Raises:
            queue.Empty: nothing in time.
            Disconnected: nothing there, and every sender has left or died; or the stream was closed. From a queue: the last producer died.
            ValueError: the message is no value; or this handle is closed.
            pickle.UnpicklingError: only Python understands it, and that is not allowed. The message is gone.
        """

    def get_nowait(self) -> _T:
        """``get(block=False)``."""

    def get_many(self, max: int, block: bool = True, timeout: float | None = None) -> list[_T]:
        """Up to ``max`` values: waits for the first, as `get` does, and takes what else is there.

        An exception on the way has the values that came before it as ``received``.
        """

    def get_into(self, out: NDArray[Any], block: bool = True, timeout: float | None = None) -> NDArray[Any]:
        """Copies the next message, which must be an array of the same shape and dtype, into ``out``, and returns that.

        Raises:
            ValueError: it is none, or another. It is given back then, and comes again after those that wait.
            BufferError: ``out`` is read-only; likewise.
        """

    def recv(self, block: bool = True, timeout: float | None = None) -> Message:
        """The next message, in place."""

    def aget(self, timeout: float | None = None) -> Coroutine[Any, Any, _T]:
        """The next value as `get` has it, in an event loop: ``await receiver.aget()`` waits without a thread.

        Cancelled while it waits, it takes nothing. ``async for value in receiver`` ends with the stream.
        """

    def aget_many(self, max: int, timeout: float | None = None) -> Coroutine[Any, Any, list[_T]]:
        """Up to ``max`` values as `get_many` has them, in an event loop: waits for the first, without a thread, and takes what else is
        there.

        Cancelled while it waits, it takes nothing.

        Raises:
            queue.Empty: nothing within ``timeout`` seconds.
            Disconnected, ValueError, pickle.UnpicklingError: as for `get`; the values that came before have the name ``received``.
        """

    def arecv(self, timeout: float | None = None) -> Coroutine[Any, Any, Message]:
        """The next message, in place, in an event loop: ``with await receiver.arecv() as message: ...``."""

    def _poll_get(self, turn: Turn) -> _T: ...
    def _poll_get_many(self, max: int, turn: Turn) -> list[_T] | None: ...
    def _poll_recv(self, turn: Turn) -> Message | None: ...

    @property
    def allow_pickle(self) -> bool:
        """Whether pickles are read."""

@final
class Sender(Handle):
    """The sending side of a ring. It can be passed to another process, and used by several threads."""

    @staticmethod
    def _of_fd(fd: int) -> Sender: ...
    def _arrive(self) -> None: ...
    def _withdraw(self) -> None: ...
    def put(self, value: object, block: bool = True, timeout: float | None = None) -> None:
        """Sends a value; copies it once, into the ring.

        Args:
            value: anything; what the wire format does not know is pickled, with big buffers beside the pickle.
            block: whether to wait for room.
            timeout: for how many seconds at most; None is for ever.

        Raises:
            queue.Full: no room in time.
            Disconnected: no room, and every receiver has left or died; or the stream was closed.
            ValueError: longer than ``max_message_bytes``; or this sender is closed.
            OSError: ``ENOSPC``: no room for the message in ``/dev/shm``, or none in one piece; nothing is lost, and others may still find
                some. A ring without a name takes the machine's memory itself, and where there is none left of that the system does
                not say so but kills a process.
        """

    def put_nowait(self, value: object) -> None:
        """``put(value, block=False)``."""

    def aput(self, value: object, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        """Sends a value as `put` does, in an event loop: ``await sender.aput(value)`` waits for room without a thread.

        The value is copied when there is room: do not change it before. Cancelled while it waits, it sends nothing.
        """

    def _poll_put(self, value: object, turn: Turn) -> bool: ...
    def put_many(self, values: Iterable[object], block: bool = True, timeout: float | None = None) -> int:
        """Sends values in order, each as `put` does; returns how many were sent before the time was up.

        Raises:
            queue.Full: not even the first.
        """

    def send(self, data: Buffer, block: bool = True, timeout: float | None = None) -> None:
        """Sends bytes as they are, for a receiver that knows what they are: `Receiver.recv` and `Message.raw`, or Rust."""

    def loan(
        self,
        shape: SupportsIndex | Sequence[SupportsIndex],
        dtype: DTypeLike,
        block: bool = True,
        timeout: float | None = None,
    ) -> Loan:
        """A slot to be filled in place: ``with sender.loan((1080, 1920, 3), "u1") as frame: ...`` fills it and sends it.

        What is in the array at first is left over or zero.

        Raises:
            queue.Full: no room in time.
            Disconnected, ValueError, OSError: as for `put`.
        """

    def aloan(
        self, shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike, timeout: float | None = None
    ) -> Coroutine[Any, Any, Loan]:
        """A slot as `loan` has it, in an event loop: ``with await sender.aloan((1080, 1920, 3), "u1") as frame: ...``.

        Only the slot is waited for, without a thread; cancelled meanwhile, it claims none. Sending never waits.
        """

    def _poll_loan(
        self, shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike, turn: Turn
    ) -> Loan | None: ...
    def has_space(self) -> bool:
        """Whether a message put now would find room. Another sender may change that at once."""

    def wait_for_all_ack(self, timeout: float | None = None) -> bool:
        """Waits until receivers are done with everything that this object sent; says whether they are.

        Raises:
            Disconnected: messages are left, and every receiver has left or died.
        """

@final
class Receiver(Source[Any]):
    """The receiving side of a ring. It can be passed to another process, and used by several threads.

    Iterating over it gives values until the end of the stream: every sender has closed, left or died.
    """

    @staticmethod
    def _of_fd(fd: int, allow_pickle: bool) -> Receiver: ...
    def _arrive(self) -> None: ...
    def _withdraw(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, Any]: ...

@final
class Message:
    """A message in place: ``with receiver.recv() as message: a = message.array()``.

    It is acknowledged, and its slot free for another, when it is released and the last view of it is gone: the arrays that `array`
    and `value` gave, and whatever was made of them. If this process dies first, another receiver gets it.
    """

    def array(self) -> NDArray[Any]:
        """The array that the message is: read-only, aligned to 64 bytes, in shared memory.

        Raises:
            TypeError: the message is something else.
        """

    def value(self) -> Any:
        """The value, in which every array is a view as `array` gives it; all else is copied."""

    def raw(self) -> memoryview:
        """The bytes of the message, whatever they are."""

    @property
    def nbytes(self) -> int:
        """How long the message is."""

    @property
    def redelivered(self) -> int:
        """How often it was handed out before without being acknowledged."""

    @property
    def released(self) -> bool:
        """Whether it was released; views may be left."""

    def release(self) -> None:
        """Lets go of the message, as the end of the ``with`` block does."""

    def reject(self) -> None:
        """Gives the message back, to be received again, by anybody.

        Raises:
            BufferError: views of it are left.
        """

    def __enter__(self) -> Self: ...
    def __exit__(
        self, class_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

@final
class Loan:
    """An array that lies in a slot, to be filled: sent when its ``with`` block ends, given back if that raises.

    Afterwards the array is read-only, and what it shows is somebody else's: do not keep it, nor views of it.
    """

    @property
    def array(self) -> NDArray[Any]:
        """The array, in C order."""

    def commit(self) -> None:
        """Sends it.

        Raises:
            Disconnected: the stream was closed meanwhile.
            ValueError: it was sent or given back already.
        """

    def abort(self) -> None:
        """Gives the slot back and sends nothing."""

    def __enter__(self) -> NDArray[Any]: ...
    def __exit__(
        self, class_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

@disjoint_base
class QueueCore(Source[_T]):
    """What `ringmail.Queue` is made of.

    ``async for value in queue`` goes on for ever, and raises what `get` raises.
    """

    def __new__(
        cls,
        maxsize: int,
        max_message_bytes: int | None,
        participants: int,
        retain_bytes: int | None,
        allow_pickle: bool,
        fd: int | None = None,
    ) -> Self: ...
    @classmethod
    def __class_getitem__(cls, item: Any) -> GenericAlias: ...
    def put(self, obj: _T, block: bool = True, timeout: float | None = None) -> None:
        """Puts a value into the queue, at once: what is changed afterwards is not sent.

        Raises:
            queue.Full: no room within ``timeout`` seconds, or at all without ``block``.
            Disconnected: no room, and the last consumer died.
            ValueError: longer than ``max_message_bytes``; or the queue is closed.
            OSError: ``ENOSPC``: no room for the message in one piece; the queue stays usable. It is memory of the machine's itself, and where
                there is none left of that the system does not say so but kills a process.
        """

    def put_nowait(self, obj: _T) -> None:
        """``put(obj, block=False)``."""

    def aput(self, obj: _T, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        """Puts a value as `put` does, in an event loop: ``await queue.aput(value)`` waits for room without a thread.

        The value is copied when there is room: do not change it before. Cancelled while it waits, it puts nothing.
        """

    def _poll_put(self, obj: _T, turn: Turn) -> bool: ...
    def put_many(self, objs: Iterable[_T], block: bool = True, timeout: float | None = None) -> int:
        """As `Sender.put_many`."""

    def loan(
        self,
        shape: SupportsIndex | Sequence[SupportsIndex],
        dtype: DTypeLike,
        block: bool = True,
        timeout: float | None = None,
    ) -> Loan:
        """As `Sender.loan`."""

    def aloan(
        self, shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike, timeout: float | None = None
    ) -> Coroutine[Any, Any, Loan]:
        """As `Sender.aloan`."""

    def _poll_loan(
        self, shape: SupportsIndex | Sequence[SupportsIndex], dtype: DTypeLike, turn: Turn
    ) -> Loan | None: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, _T]: ...

    def qsize(self) -> int:
        """Messages that nobody has acknowledged, held ones included."""

    def empty(self) -> bool:
        """Whether there are none. Others may change that at once."""

    def full(self) -> bool:
        """Whether a ``put`` would have to wait. Others may change that at once."""

    def _arrive(self) -> None: ...
    def _withdraw(self) -> None: ...
    def _abandon(self) -> None: ...
    def join_thread(self) -> None:
        """Does nothing, there is no thread.

        Raises:
            AssertionError: the queue is not closed.
        """

    def cancel_join_thread(self) -> None:
        """Does nothing: a queue never keeps a process from ending."""

    def stats(self) -> _Stats:
        """As `Ring.stats`."""

    @property
    def maxsize(self) -> int:
        """As it was asked for; 0 for the default."""

@final
class View:
    """The owner of an array's memory in a message, by the buffer protocol."""

@final
class Bell:
    """What wakes the waiting calls of one event loop: by a descriptor that becomes readable."""

    def __new__(cls) -> Self: ...
    def fileno(self) -> int:
        """The descriptor."""

    def turn(self) -> Turn:
        """For a call that is about to wait."""

    def answer(self) -> builtins.list[int]:
        """Who was woken since the last time, by number."""

@final
class Turn:
    """A call that waits in an event loop."""

    @property
    def number(self) -> int:
        """What the bell calls it."""

    def leave(self) -> None:
        """Waits no longer."""

def keep_warm(bytes: int) -> int:
    """Sets how many bytes of buffers this process keeps for arrays that it receives, when those before them are gone; also for those
    in pickles.

    By default as much as they took at once, up to an eighth of the machine's memory (256 MiB to 4 GiB); of what is beyond 256 MiB the
    system takes what somebody else needs. Returns what it was.
    """
