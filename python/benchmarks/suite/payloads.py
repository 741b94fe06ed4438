"""The messages, and whether one arrived as it was sent."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

#: The array of py-sharedmemory's example, (64, 80, 4, 84, 84, 3), by 1/32: 54 MB.
NESTED = (2, 80, 4, 84, 84, 3)
FRAME = (1080, 1920, 3)

#: Elements that are made, and compared, at once.
PERIODS = 400
STRETCH = 251 * PERIODS


class Example(NamedTuple):
    """The named tuple of that example."""

    name: str
    value: int


@dataclasses.dataclass(frozen=True)
class Payload:
    """What is sent: ``bytes``, an ``array``, or some other ``object``."""

    kind: str
    nbytes: int
    dtype: str = "f4"
    shape: tuple[int, ...] = ()
    what: str = ""

    def make(self, number: int = 0) -> Any:
        """The message of this number; different numbers give different messages."""
        if self.kind == "bytes":
            stretch = self._stretch(number).tobytes()
            return b"".join([stretch] * (self.nbytes // STRETCH) + [stretch[: self.nbytes % STRETCH]])
        if self.kind == "array":
            made = np.empty(self.shape, self.dtype)
            self.fill(made, number)
            return made
        return OBJECTS[self.what](number)

    def fill(self, array: Any, number: int) -> None:
        """Makes an array the message of this number."""
        flat, stretch = array.reshape(-1), self._stretch(number)
        for start in range(0, flat.size, STRETCH):
            flat[start : start + STRETCH] = stretch[: flat.size - start]

    def is_it(self, value: Any, number: int) -> bool:
        """Whether this is the message of that number; a view of bytes is as good as bytes."""
        if self.kind == "object":
            return same(value, self.make(number))
        if self.kind == "array":
            if not isinstance(value, np.ndarray) or (value.dtype, value.shape) != (np.dtype(self.dtype), self.shape):
                return False
            flat = value.reshape(-1)
        else:
            flat = np.frombuffer(value, "u1")
            if flat.size != self.nbytes:
                return False
        # Piece by piece: the longest fit into memory only once.
        stretch = self._stretch(number)
        return all(
            np.array_equal(flat[start : start + STRETCH], stretch[: flat.size - start]) for start in range(0, flat.size, STRETCH)
        )

    def _stretch(self, number: int) -> Any:
        # Where a part of a message went astray, it shows: what repeats is no power of two.
        period = np.arange(251)
        if self.kind == "bytes":
            return np.tile((number * 31 + period * 7) % 256, PERIODS).astype("u1")
        return np.tile((period * 7 + number) % 251, PERIODS).astype(self.dtype)

    def touch(self, value: Any) -> None:
        """Looks at both ends."""
        if self.kind != "object":
            value[0], value[-1]
        elif self.what == "nested":
            flat = value["large_array_example"]
            flat[0, 0, 0, 0, 0, 0], flat[-1, -1, -1, -1, -1, -1]


def text(nbytes: int) -> Payload:
    """So many bytes."""
    return Payload("bytes", nbytes)


def floats(nbytes: int) -> Payload:
    """So many bytes of float32."""
    return Payload("array", nbytes // 4 * 4, "f4", (max(nbytes // 4, 1),))


def frame() -> Payload:
    """A picture of 1080p."""
    return Payload("array", int(np.prod(FRAME)), "u1", FRAME)


def other(what: str) -> Payload:
    """One of the objects below."""
    return Payload("object", 56_000_000 if what == "nested" else 512, what=what)


def _scalars(number: int) -> dict[str, Any]:
    return {"step": number, "reward": 0.5, "done": False, "action": "left"}


def _step(number: int) -> dict[str, Any]:
    return {"obs": np.full(4, number, "f4"), "action": 1, "reward": 1.0, "done": False}


def _nested(number: int) -> dict[str, Any]:
    return {
        "test_id": number,
        "description": "This is a comprehensive test data object.",
        "is_active": True,
        "parameters": {"learning_rate": 0.001, "batch_size": 128, "optimizer": "adam", "epsilon": 1e-8,
                       "byte_config": b"\x01\x02\x03\x04"},
        "data_samples": [
            {"sample_idx": 0, "image_data": np.ones((32, 32, 3), "f4"), "label": 10, "confidence": 0.95,
             "flags": [True, False, True], "metadata": ("image", "png", 32, 32)},
            {"sample_idx": 1, "image_data": np.zeros((16, 16, 1), "u1"), "label": 5, "confidence": 0.88,
             "flags": [False, False, True], "metadata": ("image", "jpeg", 16, 16)},
        ],
        "settings_list": [100, "high", False, 0.5, b"setting_bytes", (1, "a", True),
                          {"nested_list_dict": [1, 2, {"deep_key": "deep_value"}]}, np.array([1.1, 2.2, 3.3])],
        "unique_identifiers": {101, 202, 303},
        "status_codes": {b"success", b"pending", b"failed"},
        "data_types_used": [np.dtype("float32"), np.dtype("int64"), np.dtype("uint8"), np.dtype("bool")],
        "complex_nested_structure": {"level1_dict": {
            "level2_list": ["string_in_list", 12345, True, (10, 20, 30),
                            {"level3_dict": {"array_in_dict": np.arange(5)}}, Example(name="example", value=99)],
            "level2_set": {9, 8, 7, "set_string"},
            "level2_tuple": ("tuple_item_1", 56.78, b"tuple_bytes", [1, 2, 3], {"nested_in_tuple": "hello"}),
        }},
        "empty_structures": {"empty_list": [], "empty_dict": {}, "empty_set": set(), "empty_tuple": ()},
        "large_array_example": np.full(NESTED, number % 7, "f4"),
    }  # fmt: skip


OBJECTS = {"scalars": _scalars, "step": _step, "nested": _nested}


def same(value: Any, expected: Any) -> bool:
    """Whether a message arrived as it was sent; a view of bytes is as good as bytes."""
    if isinstance(expected, np.ndarray):
        return (
            isinstance(value, np.ndarray)
            and (value.dtype, value.shape) == (expected.dtype, expected.shape)
            and np.array_equal(value, expected)
        )
    if isinstance(expected, bytes):
        return bool(value == expected)
    if isinstance(expected, dict):
        return isinstance(value, dict) and value.keys() == expected.keys() and all(same(value[k], expected[k]) for k in expected)
    if isinstance(expected, (list, tuple)):
        return isinstance(value, (list, tuple)) and len(value) == len(expected) and all(map(same, value, expected))
    return bool(type(value) is type(expected) and value == expected)
