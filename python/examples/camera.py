"""Frames of 1080p from a camera to two workers, in place at both ends: no frame is ever copied.

The capture process draws each frame in the slot that it will be sent in. Whichever worker is free reads it there, finds its
edges, and sends a small picture of them, which end up on a contact sheet.

    python camera.py [frames [FILE.png]]
"""

from __future__ import annotations

import multiprocessing
import struct
import sys
import time
import zlib
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

import ringmail

HEIGHT, WIDTH, SCALE = 1080, 1920, 8
FRAME = np.dtype([("number", "i8"), ("image", "u1", (HEIGHT, WIDTH, 3))])
COLUMNS, ROWS = 6, 4
Image = NDArray[np.uint8]


class Seen(TypedDict):
    """What a worker makes of a frame: ``picture`` has shape (135, 480, 3), the frame and its edges side by side."""

    number: int
    worker: int
    picture: Image


def room() -> Image:
    """An empty room with a window."""
    image = np.zeros((HEIGHT, WIDTH, 3), "u1")
    image[...] = np.linspace(40, 90, HEIGHT, dtype="u1")[:, None, None]
    image[150:600, 300:900] = (150, 190, 230)
    return image


def throw(image: Image, number: int) -> None:
    """A ball on its way through the room."""
    y, x = 540 + int(400 * np.sin(number / 9)), 100 + 29 * number % (WIDTH - 200)
    rows, columns = np.ogrid[-80:80, -80:80]
    image[y - 80 : y + 80, x - 80 : x + 80][rows**2 + columns**2 < 80**2] = (240, 120, 40)


def capture(frames: ringmail.Sender, count: int) -> None:
    """The camera."""
    empty = room()
    with frames:
        for number in range(count):
            with frames.loan((), FRAME) as frame:
                frame["number"] = number
                frame["image"][...] = empty
                throw(frame["image"], number)


def edges(small: Image) -> Image:
    """How much brightness changes from each pixel to the next, across and down."""
    light = small.mean(axis=2)
    down, across = np.gradient(light)
    strength = np.clip(4 * np.hypot(down, across), 0, 255).astype("u1")
    return np.repeat(strength[:, :, None], 3, axis=2)


def work(worker: int, frames: ringmail.Receiver, pictures: ringmail.Sender) -> None:
    """Looks at frames until the camera is off."""
    with pictures:
        while True:
            try:
                message = frames.recv()
            except ringmail.Disconnected:
                return
            with message:
                frame = message.array()
                # Four of the pixels of each square of eight by eight are enough.
                some = frame["image"][::4, ::4].reshape(HEIGHT // SCALE, 2, WIDTH // SCALE, 2, 3)
                small = some.mean(axis=(1, 3)).astype("u1")
                picture = np.concatenate([small, edges(small)], axis=1)
                seen: Seen = {"number": int(frame["number"]), "worker": worker, "picture": picture}
                # The slot is free again when the last view is gone.
                del frame, some
            pictures.put(seen)


def write_png(file: str, image: Image) -> None:
    """An image of shape (height, width, 3) as a PNG."""
    height, width, _ = image.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # Every row begins with a byte for its filter: none.
    rows = np.zeros((height, 1 + 3 * width), "u1")
    rows[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with open(file, "wb") as png:
        png.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header))
        png.write(chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)) + chunk(b"IEND", b""))


def main(count: int = 240, file: str = "contact_sheet.png") -> list[int]:
    """Films, and writes the contact sheet; returns the numbers of the frames that were seen."""
    context = multiprocessing.get_context("forkserver")
    camera, frames = ringmail.pair(8, max_message_bytes=8 << 20)
    out, pictures = ringmail.pair(64, max_message_bytes=1 << 20)
    processes = [context.Process(target=work, args=(worker, frames, out)) for worker in range(2)]
    processes.append(context.Process(target=capture, args=(camera, count)))
    for process in processes:
        process.start()
    sheet = np.zeros((ROWS * HEIGHT // SCALE, COLUMNS * 2 * WIDTH // SCALE, 3), "u1")
    step = max(1, count // (ROWS * COLUMNS))
    numbers, by = [], [0, 0]
    start = 0.0
    for _ in range(count):
        seen: Seen = pictures.get()
        start = start or time.perf_counter()
        numbers.append(seen["number"])
        by[seen["worker"]] += 1
        place, left = divmod(seen["number"], step)
        if left == 0 and place < ROWS * COLUMNS:
            (height, width, _), (row, column) = seen["picture"].shape, divmod(place, COLUMNS)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = seen["picture"]
    rate = (count - 1) / (time.perf_counter() - start + 1e-9)
    for process in processes:
        process.join()
    write_png(file, sheet)
    print(f"{count} frames, {by[0]} and {by[1]} by each worker, {rate:.0f}/s; see {file}")
    return numbers


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asked = int(arguments[0]) if arguments else 240
    assert sorted(main(asked, *arguments[1:])) == list(range(asked)), "every frame once"
