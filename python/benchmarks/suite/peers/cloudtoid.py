"""cloudtoid-interprocess."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from typing import Any

from .. import machine
from ..payloads import Payload
from .contract import Raw


class Cloudtoid(Raw):
    """Its capacity is in bytes; a full queue is asked again after a yield, as it has no call that waits for room."""

    name, module, distribution = "cloudtoid", "cloudtoid_interprocess", "cloudtoid-interprocess"

    def __init__(self, payload: Payload, capacity: int) -> None:
        self.folder, self.queue = tempfile.mkdtemp(), f"ringmail-bench-{uuid.uuid4().hex[:12]}"
        # Messages lie at multiples of 8, each behind a header of 8. A pickle may be any length.
        entry = (payload.nbytes + 8 + 7) // 8 * 8
        self.room = max(entry * capacity + 8, 64)
        self.end: Any = None
        super().__init__(payload, capacity)

    def open_sender(self) -> None:
        from cloudtoid_interprocess import Publisher

        self.end = Publisher(self.queue, self.room, self.folder)
        self.send = self._send
        self.choose()

    def open_receiver(self) -> None:
        from cloudtoid_interprocess import Subscriber

        self.end = Subscriber(self.queue, self.room, self.folder)
        self.receive = self.end.receive
        self.choose()

    def _send(self, data: Any) -> None:
        try_send = self.end.try_send
        while not try_send(data):
            os.sched_yield()

    def pump(self, value: Any, count: int) -> None:
        if self.payload.kind != "bytes" or self.payload.nbytes > 65536:
            return super().pump(value, count)
        batch, send = [value] * 256, self.end.try_send_batch
        while count > 0:
            sent = send(batch if count >= 256 else batch[:count])
            count -= sent
            if not sent:
                os.sched_yield()
        return None

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        # Its semaphore outlives those who are killed.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(machine.SHM, f"sem.ct3ip.{self.queue}"))
