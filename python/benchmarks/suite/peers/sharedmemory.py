"""py-sharedmemory: 4.x, and 1.0.1, whose distribution has the same name and therefore lies in a folder of its own."""

from __future__ import annotations

import os
import sys
from typing import Any

from ..crew import CONTEXT
from ..payloads import Payload
from .contract import Peer

#: Where 1.0.1 is, made by ``pip install --no-deps --target FOLDER py-sharedmemory==1.0.1``.
FOLDER = "RINGMAIL_BENCH_SHAREDMEMORY1"


class SharedMemory4(Peer):
    """py-sharedmemory 4.x."""

    name, module, distribution, many = "py-sharedmemory 4", "py_sharedmemory", "py-sharedmemory", False

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        from py_sharedmemory import create_shared_memory_pair

        self.sender, self.receiver = create_shared_memory_pair(capacity=capacity, ctx=CONTEXT)

    def open_sender(self) -> None:
        self.put = self.sender.put

    def open_receiver(self) -> None:
        self.get = self.receiver.get

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


class SharedMemory1(Peer):
    """py-sharedmemory 1.0.1."""

    name, many = "py-sharedmemory 1.0.1", False

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        _find()
        from memory import create_shared_memory_pair

        self.sender, self.receiver = create_shared_memory_pair(capacity=capacity)

    @classmethod
    def missing(cls) -> str | None:
        if not os.path.isdir(os.path.join(os.environ.get(FOLDER, ""), "memory")):
            return f"not installed: pip install --no-deps --target FOLDER py-sharedmemory==1.0.1, and {FOLDER}=FOLDER"
        return None

    @classmethod
    def version(cls) -> str:
        return "1.0.1"

    def open_sender(self) -> None:
        self.put = self.sender.put

    def open_receiver(self) -> None:
        self.get = self.receiver.get


def _find() -> None:
    folder = os.environ[FOLDER]
    if folder not in sys.path:
        sys.path.append(folder)
