"""``multiprocessing``: its queue, and its pipe with bytes."""

from __future__ import annotations

from typing import Any

from ..crew import CONTEXT
from ..payloads import Payload
from .contract import Peer, Raw


class MpQueue(Peer):
    """``multiprocessing.Queue``."""

    #: The pickle, and what the pipe is written from and read into.
    name, copies = "mp.Queue", 4

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        self.queue = CONTEXT.Queue(capacity)

    def open_sender(self) -> None:
        self.put = self.queue.put

    def open_receiver(self) -> None:
        self.get = self.queue.get

    def close(self) -> None:
        self.queue.close()
        self.queue.cancel_join_thread()


class MpPipe(Raw):
    """``multiprocessing.Pipe`` with ``send_bytes``. Its capacity is the kernel's."""

    name, many = "mp.Pipe", False

    @classmethod
    def need(cls, nbytes: int, capacity: int) -> int:
        return super().need(nbytes, 0)

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        self.reader, self.writer = CONTEXT.Pipe(duplex=False)

    def open_sender(self) -> None:
        self.reader.close()
        self.send = self.writer.send_bytes
        self.choose()

    def open_receiver(self) -> None:
        self.writer.close()
        self.receive = self.reader.recv_bytes
        self.choose()

    def close(self) -> None:
        for end in (self.reader, self.writer):
            end.close()
