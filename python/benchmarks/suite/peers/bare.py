"""What one would write by hand: ``SharedMemory`` and two semaphores."""

from __future__ import annotations

import pickle
import struct
from multiprocessing import shared_memory
from typing import Any

import numpy as np

from ..crew import CONTEXT
from ..payloads import Payload
from .contract import Peer

_LEN = struct.Struct("<Q")
_SLOTS_START = 64


class Bare(Peer):
    """A ring of slots of one length each, one producer at a time, copied out."""

    name = "hand-written copy"

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        self.stride = (payload.nbytes + (65536 if payload.kind == "object" else 0) + 8 + 63) // 64 * 64 + 64
        self.memory = shared_memory.SharedMemory(create=True, size=_SLOTS_START + self.stride * capacity)
        self.free, self.filled = CONTEXT.Semaphore(capacity), CONTEXT.Semaphore(0)
        self.producer = CONTEXT.Lock()
        self.position, self.held = 0, False
        self.buffer: Any = None

    def open_sender(self) -> None:
        self.buffer = self.memory.buf
        self.put = getattr(self, f"_put_{self.payload.kind}")

    def open_receiver(self) -> None:
        self.buffer = self.memory.buf
        self.get = getattr(self, f"_get_{self.payload.kind}")

    def _claim(self) -> int:
        self.free.acquire()
        self.producer.acquire()
        position: int = _LEN.unpack_from(self.buffer, 0)[0]
        return _SLOTS_START + position % self.capacity * self.stride

    def _publish(self) -> None:
        _LEN.pack_into(self.buffer, 0, _LEN.unpack_from(self.buffer, 0)[0] + 1)
        self.producer.release()
        self.filled.release()

    def _next(self) -> int:
        self.filled.acquire()
        start = _SLOTS_START + self.position % self.capacity * self.stride
        self.position += 1
        return start

    def _put_bytes(self, value: Any) -> None:
        start = self._claim()
        _LEN.pack_into(self.buffer, start, len(value))
        self.buffer[start + 64 : start + 64 + len(value)] = value
        self._publish()

    def _get_bytes(self) -> Any:
        start = self._next()
        length = _LEN.unpack_from(self.buffer, start)[0]
        value = bytes(self.buffer[start + 64 : start + 64 + length])
        self.free.release()
        return value

    def _array(self, start: int) -> Any:
        return np.ndarray(self.payload.shape, self.payload.dtype, self.buffer, start + 64)

    def _put_array(self, value: Any) -> None:
        self._array(self._claim())[...] = value
        self._publish()

    def _get_array(self) -> Any:
        value = self._array(self._next()).copy()
        self.free.release()
        return value

    def _put_object(self, value: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, 5, buffer_callback=buffers.append)
        start, place = self._claim(), 64
        lengths = []
        parts: list[Any] = [head, *(buffer.raw() for buffer in buffers)]
        for part in parts:
            self.buffer[start + place : start + place + len(part)] = part
            lengths.append((place, len(part)))
            place += (len(part) + 63) // 64 * 64
        table = pickle.dumps(lengths)
        self.buffer[start + place : start + place + len(table)] = table
        _LEN.pack_into(self.buffer, start, place)
        self._publish()

    def _parts(self, start: int) -> list[memoryview]:
        table = _LEN.unpack_from(self.buffer, start)[0]
        lengths = pickle.loads(self.buffer[start + table : start + self.stride])
        return [self.buffer[start + place : start + place + length] for place, length in lengths]

    def _get_object(self) -> Any:
        head, *buffers = self._parts(self._next())
        # Writable and its own, as the others deliver it.
        value = pickle.loads(head, buffers=[bytearray(buffer) for buffer in buffers])
        self.free.release()
        return value

    def close(self) -> None:
        self.memory.close()
        self.memory.unlink()


class BareView(Bare):
    """The same, looked at in place: a slot is free again when the next message is asked for."""

    name, mode, copies = "hand-written view", "view", 0

    def let_go(self) -> None:
        if self.held:
            self.held = False
            self.free.release()

    def _hold(self) -> int:
        self.let_go()
        start = self._next()
        self.held = True
        return start

    def _get_bytes(self) -> Any:
        start = self._hold()
        length = _LEN.unpack_from(self.buffer, start)[0]
        return self.buffer[start + 64 : start + 64 + length]

    def _get_array(self) -> Any:
        return self._array(self._hold())

    def _get_object(self) -> Any:
        head, *buffers = self._parts(self._hold())
        return pickle.loads(head, buffers=buffers)
