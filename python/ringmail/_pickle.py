"""What only Python understands: pickles of protocol 5 with their big buffers beside them."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any


class _Pickler(ForkingPickler):
    """Knows what ``multiprocessing`` knows, and tensors of PyTorch on the CPU, whose data then travels as an array does."""

    def reducer_override(self, obj: Any) -> Any:
        """Reduces a plain tensor to an array."""
        torch = sys.modules.get("torch")
        if torch is None or type(obj) is not getattr(torch, "Tensor", None):
            return NotImplemented
        plain = obj.device.type == "cpu" and obj.layout is torch.strided and not obj.requires_grad
        if not plain or obj.is_conj() or obj.is_neg() or obj.dtype is torch.bfloat16:
            return NotImplemented
        return _tensor, (obj.numpy(),)


def _tensor(array: Any) -> Any:
    """A tensor over an array."""
    return importlib.import_module("torch").from_numpy(array)


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
