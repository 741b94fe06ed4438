"""What a peer is: one direction from producers to a consumer, by some library, behind the same few verbs.

It is made by the process that starts the others, passed to them, and opened there. `pump` and `drain` are the loops that are timed,
so that each peer can do them the way its documentation says.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from .. import machine
from ..payloads import Payload


class Peer:
    """A peer that takes any value, or says so."""

    name: ClassVar[str]
    #: "copy" if what is received is the receiver's own, "view" if it lies in shared memory.
    mode: ClassVar[str] = "copy"
    #: The module that must be there, and the distribution that has it.
    module: ClassVar[str] = ""
    distribution: ClassVar[str] = ""
    #: Whether several processes may put.
    many: ClassVar[bool] = True
    #: Copies of a message there may be beside the sender's and those that wait in the queue.
    copies: ClassVar[int] = 2
    #: What kinds of payload it is for.
    kinds: ClassVar[tuple[str, ...]] = ("bytes", "array", "object")

    #: Sends a value; waits for room. There once the sender is open.
    put: Callable[[Any], None]
    #: The next value; waits for it. A view is good until the next call. There once the receiver is open.
    get: Callable[[], Any]

    def __init__(self, payload: Payload, capacity: int) -> None:
        self.payload, self.capacity = payload, capacity
        #: Whether the receiver may be asleep when a message comes: some have to be told how to wait.
        self.sleepy = False

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot be measured here, if it cannot."""
        if cls.module and importlib.util.find_spec(cls.module) is None:
            return f"not installed: pip install {cls.distribution}"
        return None

    @classmethod
    def version(cls) -> str:
        """Which one is measured."""
        return machine.version(cls.distribution) if cls.distribution else "as it comes with Python"

    @classmethod
    def need(cls, nbytes: int, capacity: int) -> int:
        """Bytes that such messages may take at once, the sender's own included."""
        return nbytes * (1 + capacity + cls.copies)

    def numbered(self, number: int = 0) -> Any:
        """The message of this number, as `put` and `pump` want it."""
        return self.payload.make(number)

    def open_sender(self) -> None:
        """In a process that is to put, once the receiver is there."""

    def open_receiver(self) -> None:
        """In the process that is to get."""

    def let_go(self) -> None:
        """Gives back what `get` lent."""

    def pump(self, value: Any, count: int) -> None:
        """Sends a value so many times."""
        put = self.put
        for _ in range(count):
            put(value)

    def drain(self, count: int) -> None:
        """Receives so many values and looks at both ends of each."""
        get = self.get
        if self.payload.kind != "object":
            for _ in range(count):
                value = get()
                value[0], value[-1]
        else:
            touch = self.payload.touch
            for _ in range(count):
                touch(get())

    def close(self) -> None:
        """By the process that made it, when all others are gone."""


class Raw(Peer):
    """A peer that knows nothing but bytes: arrays go as theirs, with their shape known beforehand, other objects as pickles."""

    #: Sends bytes, or what has the buffer protocol.
    send: Callable[[Any], None]
    #: The next bytes, or a view of them.
    receive: Callable[[], Any]

    def choose(self) -> None:
        """Puts and gets what it is to send and receive; to be called once it can."""
        send, receive = getattr(self, "send", None), getattr(self, "receive", None)
        dtype, shape = self.payload.dtype, self.payload.shape
        if send:
            self.put = {
                "bytes": send,
                "array": lambda array: send(memoryview(array).cast("B")),
                "object": lambda value: send(pickle.dumps(value, 5)),
            }[self.payload.kind]
        if receive:
            self.get = {
                "bytes": receive,
                "array": (lambda: np.frombuffer(receive(), dtype))
                if len(shape) == 1
                else (lambda: np.frombuffer(receive(), dtype).reshape(shape)),
                "object": lambda: pickle.loads(receive()),
            }[self.payload.kind]
