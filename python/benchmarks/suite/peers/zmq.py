"""pyzmq: PUSH and PULL over ipc."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from typing import Any

from ..payloads import Payload
from .contract import Raw


class Zmq(Raw):
    """pyzmq; what is long goes without a copy on its side, objects with their big buffers beside the pickle."""

    name, module, distribution = "pyzmq", "zmq", "pyzmq"

    def __init__(self, payload: Payload, capacity: int) -> None:
        self.folder = tempfile.mkdtemp()
        self.socket: Any = None
        super().__init__(payload, capacity)
        self.without_copy = payload.nbytes >= 65536


    def _socket(self, kind: str) -> Any:
        import zmq

        socket: Any = zmq.Context.instance().socket(getattr(zmq, kind))
        socket.set_hwm(self.capacity)
        (socket.bind if kind == "PULL" else socket.connect)(f"ipc://{self.folder}/socket")
        return socket

    def open_sender(self) -> None:
        self.socket = self._socket("PUSH")
        send, copy = self.socket.send, not self.without_copy
        self.send = send if copy else lambda data: send(data, copy=False)
        self.choose()
        if self.payload.kind == "object":
            self.put = self._put_parts

    def open_receiver(self) -> None:
        self.socket = self._socket("PULL")
        self.receive = self.socket.recv
        self.choose()
        if self.payload.kind == "object":
            self.get = self._get_parts

    def _put_parts(self, value: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(value, 5, buffer_callback=buffers.append)
        self.socket.send_multipart([head, *buffers], copy=not self.without_copy)

    def _get_parts(self) -> Any:
        head, *buffers = self.socket.recv_multipart()
        return pickle.loads(head, buffers=buffers)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
