"""iceoryx2: publish and subscribe, in place; an event wakes a subscriber that waits."""

from __future__ import annotations

import ctypes
import os
import time
import uuid
from typing import Any

import numpy as np

from ..payloads import Payload
from .contract import Raw

#: Looks at an empty queue before it waits for an event.
SPINS = 200


class Iceoryx(Raw):
    """iceoryx2's Python package: one copy in, none out; nothing is dropped when the subscriber is slow."""

    name, mode, module, distribution, copies = "iceoryx2", "view", "iceoryx2", "iceoryx2", 1

    def __init__(self, payload: Payload, capacity: int) -> None:
        self.service = f"ringmail-bench-{uuid.uuid4()}"
        self.sample: Any = None
        super().__init__(payload, capacity)

    def _open(self) -> tuple[Any, Any]:
        import iceoryx2 as iox2

        iox2.set_log_level(iox2.LogLevel.Error)
        self.node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
        builder = self.node.service_builder(iox2.ServiceName.new(self.service))
        slices = (
            builder.publish_subscribe(iox2.Slice[ctypes.c_uint8])
            .subscriber_max_buffer_size(self.capacity)
            .subscriber_max_borrowed_samples(2)
            .max_publishers(8)
            .enable_safe_overflow(False)
            .open_or_create()
        )
        events = self.node.service_builder(iox2.ServiceName.new(self.service + "-event")).event().open_or_create()
        return slices, events

    def open_sender(self) -> None:
        import iceoryx2 as iox2

        slices, events = self._open()
        self.publisher = (
            slices.publisher_builder()
            .initial_max_slice_len(max(self.payload.nbytes + 4096, 4096))
            .backpressure_strategy(iox2.BackpressureStrategy.RetryUntilDelivered)
            .create()
        )
        self.notifier = events.notifier_builder().create()
        # What is published before the two have met is lost.
        time.sleep(0.2)
        self.publisher.update_connections()
        self.send = self._send
        self.choose()

    def open_receiver(self) -> None:
        import iceoryx2 as iox2

        slices, events = self._open()
        self.subscriber = slices.subscriber_builder().buffer_size(self.capacity).create()
        self.listener = events.listener_builder().create()
        self.slice = iox2.Duration.from_millis(100)
        self.receive = self._receive
        self.choose()

    def _send(self, data: Any) -> None:
        view = np.frombuffer(data, "u1")
        sample = self.publisher.loan_slice_uninit(len(view))
        ctypes.memmove(sample.payload_ptr, view.ctypes.data, len(view))
        sample.assume_init().send()
        if self.sleepy:
            self.notifier.notify()

    def _receive(self) -> Any:
        self.let_go()
        receive, spins = self.subscriber.receive, 0
        while (sample := receive()) is None:
            spins += 1
            if self.sleepy and spins > SPINS:
                self.listener.timed_wait(self.slice)
                self.listener.try_wait()
            else:
                os.sched_yield()
        self.sample = sample
        return memoryview((ctypes.c_uint8 * sample.payload().len()).from_address(sample.payload_ptr)).cast("B")

    def let_go(self) -> None:
        if self.sample is not None:
            self.sample.delete()
            self.sample = None

    def close(self) -> None:
        import iceoryx2 as iox2

        # Those who were killed left files, which any node may clear away.
        iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc).try_cleanup_dead_nodes()
