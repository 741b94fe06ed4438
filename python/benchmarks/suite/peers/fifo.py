"""faster-fifo."""

from __future__ import annotations

from typing import Any

from ..payloads import Payload
from .contract import Peer

#: Its waits have to end some time.
LONG = 1e6


class FasterFifo(Peer):
    """faster-fifo's ``put`` and ``get_many``. Its ring has room for as many bytes as the others' messages take."""

    name, module, distribution = "faster-fifo", "faster_fifo", "faster-fifo"

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        import faster_fifo

        self.queue = faster_fifo.Queue(max_size_bytes=(capacity + 1) * (payload.nbytes + 600))
        self.received: list[Any] = []

    def open_sender(self) -> None:
        put = self.queue.put
        self.put = lambda value: put(value, timeout=LONG)

    def open_receiver(self) -> None:
        self.get = self._next

    def _next(self) -> Any:
        if not self.received:
            self.received = self.queue.get_many(timeout=LONG, max_messages_to_get=1000)
            self.received.reverse()
        return self.received.pop()
