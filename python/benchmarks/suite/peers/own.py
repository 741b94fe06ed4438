"""Ringmail: copies, batches of them, in place, and without any copy."""

from __future__ import annotations

from typing import Any

import numpy as np

import ringmail

from ..payloads import Payload
from .contract import Peer


class Ringmail(Peer):
    """``Queue.put`` and ``Queue.get``."""

    name, mode, module, distribution = "ringmail", "copy", "ringmail", "ringmail"

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        # As a user makes it: nothing is set.
        self.queue: ringmail.Queue[Any] = ringmail.Queue(capacity)

    def open_sender(self) -> None:
        self.put = self.queue.put

    def open_receiver(self) -> None:
        self.get = self.queue.get

    def close(self) -> None:
        self.queue.close()


class Many(Ringmail):
    """``put_many`` and ``get_many``: what a producer and a consumer do that have several at hand."""

    name = "ringmail many"
    BATCH = 256

    def pump(self, value: Any, count: int) -> None:
        put_many, batch = self.queue.put_many, [value] * self.BATCH
        while count > 0:
            count -= put_many(batch if count >= self.BATCH else batch[:count])

    def drain(self, count: int) -> None:
        get_many, touch = self.queue.get_many, self.payload.touch
        flat = self.payload.kind != "object"
        while count > 0:
            values = get_many(min(count, self.BATCH))
            count -= len(values)
            if flat:
                for value in values:
                    value[0], value[-1]
            else:
                for value in values:
                    touch(value)


class Into(Ringmail):
    """``get_into``: arrays into one that is there."""

    name, kinds = "ringmail get_into", ("array",)

    def open_receiver(self) -> None:
        out = np.zeros(self.payload.shape, self.payload.dtype)
        get_into = self.queue.get_into
        self.get = lambda: get_into(out)


class InPlace(Peer):
    """``recv``: one copy in, none out. Bytes go as they are, by ``send``."""

    name, mode, module, distribution, copies = "ringmail recv", "view", "ringmail", "ringmail", 0

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        # Both ends: of a pair of which it is given both, a process takes part in the one that it uses.
        self.sender, self.receiver = ringmail.pair(capacity, participants=64)
        self.message: ringmail.Message | None = None

    def open_sender(self) -> None:
        self.put = self.sender.send if self.payload.kind == "bytes" else self.sender.put

    def open_receiver(self) -> None:
        self.get = self._hold

    def _hold(self) -> Any:
        self.let_go()
        self.message = message = self.receiver.recv()
        return message.raw() if self.payload.kind == "bytes" else message.value()

    def let_go(self) -> None:
        if self.message is not None:
            self.message.release()
            self.message = None

    def drain(self, count: int) -> None:
        self.let_go()
        recv = self.receiver.recv
        if self.payload.kind == "bytes":
            for _ in range(count):
                with recv() as message:
                    value = message.raw()
                    value[0], value[-1]
                    del value
        elif self.payload.kind == "array":
            for _ in range(count):
                with recv() as message:
                    array = message.array()
                    array[0], array[-1]
                    del array
        else:
            touch = self.payload.touch
            for _ in range(count):
                with recv() as message:
                    touch(message.value())

    def close(self) -> None:
        self.receiver.close()


class Lent(InPlace):
    """``loan`` and ``recv``: no copy at all. What fills the array is the producer's own work and is not timed.

    A message is its number: there is no array but the one in the slot.
    """

    name, kinds = "ringmail loan", ("array",)

    @classmethod
    def need(cls, nbytes: int, capacity: int) -> int:
        return nbytes * capacity

    def numbered(self, number: int = 0) -> Any:
        return number

    def open_sender(self) -> None:
        self.put = self._fill

    def _fill(self, number: int) -> None:
        with self.sender.loan(self.payload.shape, self.payload.dtype) as array:
            self.payload.fill(array, number)

    def pump(self, value: Any, count: int) -> None:
        loan, shape, dtype = self.sender.loan, self.payload.shape, self.payload.dtype
        for _ in range(count):
            with loan(shape, dtype) as array:
                array[0] = value
                array[-1] = value
