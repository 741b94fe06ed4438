"""Big arrays to the workers of a ``concurrent.futures`` pool, small answers back from them.

Arguments of ``submit`` are pickled through a pipe. Here they are but numbers: the images go through a queue, which every worker is
given by its ``initializer``, and are read where they lie.

    python executor.py [images [workers]]
"""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

import ringmail

images: ringmail.Queue[tuple[int, NDArray[np.uint8]]]


def initialize(queue: ringmail.Queue[tuple[int, NDArray[np.uint8]]]) -> None:
    """Runs once in every worker."""
    global images
    images = queue


def histogram() -> tuple[int, NDArray[np.int64]]:
    """Takes an image, whichever is next, and counts its levels of brightness in eight steps."""
    with images.recv(timeout=60) as message:
        number, image = message.value()
        counts = np.bincount((image >> 5).ravel(), minlength=8)
        del image
    return number, counts


def main(count: int = 32, workers: int = 4) -> dict[int, NDArray[np.int64]]:
    """The histogram of every image."""
    queue: ringmail.Queue[tuple[int, NDArray[np.uint8]]] = ringmail.Queue(2 * workers)
    rng = np.random.default_rng(0)
    with ProcessPoolExecutor(
        workers, multiprocessing.get_context("forkserver"), initializer=initialize, initargs=(queue,)
    ) as executor:
        futures = []
        for number in range(count):
            futures.append(executor.submit(histogram))
            # Waits while two images for each worker wait: the pool's own queue would have taken them all.
            queue.put((number, rng.integers(0, number + 32, (1080, 1920), "u1")))
        done = dict(future.result() for future in futures)
    for number in sorted(done)[:: max(1, count // 8)]:
        print(f"image {number:3}: {done[number]}")
    return done


if __name__ == "__main__":
    histograms = main(*map(int, sys.argv[1:]))
    assert all(counts.sum() == 1080 * 1920 for counts in histograms.values())
