"""Ray: an actor makes the messages, and the driver fetches them from the object store."""

from __future__ import annotations

import collections
import importlib
from typing import Any

from ..payloads import Payload
from .contract import Peer


class Ray(Peer):
    """As many calls are under way as the queue would have room for. Arrays come as read-only views."""

    name, mode, module, distribution, many = "Ray", "view", "ray", "ray", False

    def __init__(self, payload: Payload, capacity: int) -> None:
        super().__init__(payload, capacity)
        self.under_way: collections.deque[Any] = collections.deque()

    def open_receiver(self) -> None:
        ray = start((self.capacity + 2) * self.payload.nbytes)

        # Within, for Ray to send it along: its workers do not find this module.
        class Producer:
            def __init__(self, payload: Payload) -> None:
                self.payload, self.number, self.value = payload, 0, payload.make()

            def numbered(self, number: int) -> Any:
                return self.payload.make(number)

            def same(self) -> Any:
                return self.value

        self.ray = ray
        self.producer = ray.remote(Producer).remote(self.payload)
        self.number = 0
        self.get = self._numbered

    def open_sender(self) -> None:
        self.put = lambda value: None

    def pump(self, value: Any, count: int) -> None:
        """The actor does it."""

    def _numbered(self) -> Any:
        self.number += 1
        return self.ray.get(self.producer.numbered.remote(self.number - 1))

    def drain(self, count: int) -> None:
        ask, touch = self.producer.same.remote, self.payload.touch
        for left in range(count, 0, -1):
            while len(self.under_way) < min(self.capacity, left):
                self.under_way.append(ask())
            touch(self.ray.get(self.under_way.popleft()))


def start(nbytes: int) -> Any:
    """A Ray of this machine, with room for so many bytes of objects."""
    # Optional, and without types that are of use here.
    ray: Any = importlib.import_module("ray")
    ray.init(num_cpus=4, object_store_memory=max(nbytes * 5 // 4, 200 << 20), include_dashboard=False, log_to_driver=False,
             logging_level="error", configure_logging=False)  # fmt: skip
    return ray
