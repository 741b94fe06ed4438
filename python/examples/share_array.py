"""One big array, read in place by several workers: nobody has a copy.

The array is written once, straight into shared memory, in slices. Each worker takes the next slice, sums it where it lies, and sends
the sum back; the slot is given back when its view is gone.

    python share_array.py [megabytes [workers]]
"""

from __future__ import annotations

import multiprocessing
import sys
import time

import numpy as np

import ringmail

SLICES = 16


def work(slices: ringmail.Receiver, sums: ringmail.Sender) -> None:
    """Sums slices until the stream ends."""
    while True:
        try:
            message = slices.recv()
        except ringmail.Disconnected:
            return
        with message:
            sums.put(float(message.array().sum(dtype="f8")))


def main(megabytes: int = 1500, workers: int = 4) -> float:
    """Fills, sums, and returns the error of the sum."""
    length = megabytes * 1_000_000 // 4 // SLICES
    options = {"max_message_bytes": length * 4 + 4096, "retain_bytes": 0}
    sender, receiver = ringmail.pair(SLICES, **options)  # type: ignore[arg-type]
    out, sums = ringmail.pair(SLICES)
    start = time.perf_counter()
    expected = 0.0
    for number in range(SLICES):
        with sender.loan(length, "f4") as part:
            part.fill(number)
        expected += float(number) * length
    print(f"filled {megabytes} MB in {time.perf_counter() - start:.2f} s")
    start = time.perf_counter()
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=work, args=(receiver, out)) for _ in range(workers)]
    for process in processes:
        process.start()
    sender.close()
    total = sum(sums.get() for _ in range(SLICES))
    print(f"{workers} workers summed it in {time.perf_counter() - start:.2f} s, their start included: {total:.6g}")
    for process in processes:
        process.join()
    return abs(total - expected)


if __name__ == "__main__":
    assert main(*map(int, sys.argv[1:])) == 0
