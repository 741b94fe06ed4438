"""Messages per second from one process to another, beside what else there is in Python.

    python bench.py [--sizes 10,1000,...] [--capacity 5] [--runs 5] [--seconds 0.5] [--out results]

For every size, as bytes and as a float32 array, each peer moves messages from a spawned producer to this process, which touches the first
and the last element. Peers take turns, run by run (A B A B); the median of the runs is told. Writes ``results.csv`` and
``results.md``. Peers that are not installed are left out: faster-fifo and pyzmq come with ``pip install faster-fifo pyzmq``.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import ringmail

CONTEXT = multiprocessing.get_context("spawn")


class Ringmail:
    """Copies, as multiprocessing.Queue does."""

    name = "ringmail get"

    def __init__(self, capacity: int, nbytes: int) -> None:
        self.queue: ringmail.Queue[Any] = ringmail.Queue(
            capacity, max_message_bytes=nbytes + 4096, retain_bytes=max(256 << 20, 2 * nbytes)
        )

    def put(self, value: Any) -> None:
        self.queue.put(value)

    def get(self) -> Any:
        return self.queue.get()


class InPlace(Ringmail):
    """Views of arrays; of bytes likewise."""

    name = "ringmail recv"

    def get(self) -> Any:
        with self.queue.recv() as message:
            touch(message.raw())


class MpQueue:
    """multiprocessing.Queue."""

    name = "mp.Queue"

    def __init__(self, capacity: int, nbytes: int) -> None:
        self.queue = CONTEXT.Queue(capacity)

    def put(self, value: Any) -> None:
        self.queue.put(value)

    def get(self) -> Any:
        return self.queue.get()


class MpPipe:
    """multiprocessing.Pipe: send_bytes for bytes, send for arrays."""

    name = "mp.Pipe"

    def __init__(self, capacity: int, nbytes: int) -> None:
        self.reader, self.writer = CONTEXT.Pipe(duplex=False)
        self.raw = True

    def put(self, value: Any) -> None:
        if isinstance(value, bytes):
            self.writer.send_bytes(value)
        else:
            self.writer.send(value)

    def get(self) -> Any:
        return self.reader.recv_bytes() if self.raw else self.reader.recv()


class FasterFifo:
    """faster-fifo; its ring has room for as many messages as the others'."""

    name = "faster-fifo"

    def __init__(self, capacity: int, nbytes: int) -> None:
        import faster_fifo

        self.queue = faster_fifo.Queue(max_size_bytes=(capacity + 1) * (nbytes + 500))

    def put(self, value: Any) -> None:
        self.queue.put(value, timeout=100.0)

    def get(self) -> Any:
        return self.queue.get(timeout=100.0)


class Zmq:
    """pyzmq, PUSH and PULL over ipc, frames without a copy."""

    name = "pyzmq"

    def __init__(self, capacity: int, nbytes: int) -> None:
        self.address = f"ipc://{tempfile.mkdtemp()}/socket"
        self.capacity, self.socket, self.raw = capacity, None, True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "socket": None}

    def open(self, kind: str) -> Any:
        import zmq

        if self.socket is None:
            self.socket = zmq.Context.instance().socket(getattr(zmq, kind))
            self.socket.set_hwm(self.capacity)
            (self.socket.bind if kind == "PULL" else self.socket.connect)(self.address)
        return self.socket

    def put(self, value: Any) -> None:
        self.open("PUSH").send(value, copy=len(value) < 65536)

    def get(self) -> Any:
        data = self.open("PULL").recv()
        return data if self.raw else np.frombuffer(data, "f4")


PEERS: list[Any] = [Ringmail, InPlace, MpQueue, MpPipe]
PEERS += [FasterFifo] if importlib.util.find_spec("faster_fifo") else []
PEERS += [Zmq] if importlib.util.find_spec("zmq") else []


def touch(value: Any) -> None:
    """Looks at both ends."""
    if value is not None and len(value):
        value[0], value[-1]


def make(kind: str, nbytes: int) -> Any:
    """What is sent."""
    return b"x" * nbytes if kind == "bytes" else np.ones(max(nbytes // 4, 1), "f4")


def produce(peer: Any, kind: str, nbytes: int, stop: Any) -> None:
    """Sends until told to stop."""
    value = make(kind, nbytes)
    while not stop.is_set():
        for _ in range(max(1, min(100, 1_000_000 // nbytes))):
            peer.put(value)


def measure(make_peer: Callable[[int, int], Any], kind: str, nbytes: int, capacity: int, seconds: float) -> float:
    """Messages per second, after a warm-up."""
    peer = make_peer(capacity, nbytes)
    if hasattr(peer, "raw"):
        peer.raw = kind == "bytes"
    if isinstance(peer, Zmq):
        peer.open("PULL")
    stop = CONTEXT.Event()
    producer = CONTEXT.Process(target=produce, args=(peer, kind, nbytes, stop), daemon=True)
    producer.start()
    try:
        touch(peer.get())
        warm = time.perf_counter() + seconds / 5
        while time.perf_counter() < warm:
            touch(peer.get())
        touch(peer.get())
        count, start = 0, time.perf_counter()
        batch = max(1, min(1000, 2_000_000 // nbytes))
        while (now := time.perf_counter()) - start < seconds or count < 3:
            for _ in range(batch):
                touch(peer.get())
            count += batch
        return count / (now - start)
    finally:
        # It may be waiting for room.
        producer.kill()
        producer.join()


def machine() -> str:
    """What the figures are worth."""
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "?")
    return (
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}, ringmail {ringmail.__version__}"
    )


def told(rate: float) -> str:
    """With three figures."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if rate >= limit:
            return f"{rate / limit:.3g}{unit}"
    return f"{rate:.3g}"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10,1000,10000,100000,1000000,10000000,100000000,1000000000")
    parser.add_argument("--capacity", type=int, default=5)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--peers", default="", help="names, separated by commas; all by default")
    parser.add_argument("--out", default="results")
    options = parser.parse_args()
    peers = [peer for peer in PEERS if not options.peers or peer.name in options.peers.split(",")]
    sizes = [int(size) for size in options.sizes.split(",")]
    about = machine()
    print(about)
    rows: list[dict[str, Any]] = []
    table: dict[tuple[str, str], dict[int, str]] = {}
    for nbytes in sizes:
        # Ten gigabytes of messages at once are not what is measured.
        capacity = min(options.capacity, 2) if nbytes >= 1_000_000_000 else options.capacity
        for kind in ("bytes", "float32"):
            rates: dict[str, list[float]] = {peer.name: [] for peer in peers}
            for run in range(options.runs):
                for peer in peers:
                    rate = measure(peer, kind, nbytes, capacity, options.seconds)
                    rates[peer.name].append(rate)
                    rows.append({"kind": kind, "bytes": nbytes, "capacity": capacity, "peer": peer.name, "run": run,
                                 "messages_per_second": rate})  # fmt: skip
            for name, values in rates.items():
                table.setdefault((kind, name), {})[nbytes] = told(statistics.median(values))
            medians = ", ".join(f"{name} {table[kind, name][nbytes]}" for name in rates)
            print(f"{kind} {nbytes}: {medians}", flush=True)
    with open(f"{options.out}.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with open(f"{options.out}.md", "w") as out:
        print(f"Messages per second, median of {options.runs} runs, capacity {options.capacity}. {about}\n", file=out)
        print("| | " + " | ".join(f"{size:,} B" for size in sizes) + " |", file=out)
        print("|---" * (len(sizes) + 1) + "|", file=out)
        for (kind, name), cells in sorted(table.items()):
            print(f"| {kind}, {name} | " + " | ".join(cells[size] for size in sizes) + " |", file=out)


if __name__ == "__main__":
    sys.exit(main())
