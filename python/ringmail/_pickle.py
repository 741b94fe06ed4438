"""What only Python understands: pickles of protocol 5 with their big buffers beside them."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

from . import _torch


class _Pickler(ForkingPickler):
    """Knows what ``multiprocessing`` knows, and tensors of PyTorch on the CPU, whose data then travels as an array does."""

    def reducer_override(self, obj: Any) -> Any:
        """Reduces tensors in our way."""
        torch = sys.modules.get("torch")
        # It may be half imported.
        if hasattr(torch, "TypedStorage") and _torch.is_own(torch, obj):
            return _torch.reduce(torch, obj)
        return NotImplemented


def dumps(value: object) -> tuple[bytes, list[memoryview]]:
    """Pickles a value: the pickle, and its buffers in the order in which ``loads`` wants them."""
    buffers: list[pickle.PickleBuffer] = []
    collect: Callable[[pickle.PickleBuffer], Any] = buffers.append
    out = io.BytesIO()
    _Pickler(out, 5, True, collect).dump(value)
    return out.getvalue(), [buffer.raw() for buffer in buffers]


def loads(data: bytes, buffers: list[Any]) -> Any:
    """The value of a pickle and its buffers."""
    return pickle.loads(data, buffers=buffers)
