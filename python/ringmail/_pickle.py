"""What only Python understands: pickles of protocol 5 with their big buffers beside them."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

from . import _torch


def _view(data: Any, format: Any, shape: tuple[int, ...]) -> memoryview:
    """The ``memoryview`` of that format and shape over a buffer."""
    flat = memoryview(data).cast("B")
    return flat.cast(format) if 0 in shape else flat.cast(format, shape)


class _Pickler(ForkingPickler):
    """Knows what ``multiprocessing`` knows, and views, and tensors of PyTorch on the CPU, whose data then travels as an array does."""

    def reducer_override(self, obj: Any) -> Any:
        """Reduces views and tensors in our way."""
        if type(obj) is memoryview:
            # To fail here and not there.
            _view(bytes(obj.itemsize), obj.format, (1,))
            data = obj if obj.c_contiguous else obj.tobytes()
            return _view, (pickle.PickleBuffer(data), obj.format, obj.shape)
        torch = sys.modules.get("torch")
        # It may be half imported.
        if hasattr(torch, "TypedStorage") and _torch.is_own(torch, obj):
            return _torch.reduce(torch, obj)
        return NotImplemented


def dumps(value: object, is_part: bool) -> tuple[bytes, list[memoryview], dict[int, tuple[int, Any]] | None]:
    """Pickles a value: the pickle, its buffers in the order in which ``loads`` wants them, and, of a part of something, all
    objects that it came to, which stay where they are as long as the dictionary does."""
    buffers: list[pickle.PickleBuffer] = []
    collect: Callable[[pickle.PickleBuffer], Any] = buffers.append
    out = io.BytesIO()
    pickler = _Pickler(out, 5, True, collect)
    pickler.dump(value)
    memory = pickler.memo.copy() if is_part else None
    return out.getvalue(), [buffer.raw() for buffer in buffers], memory


def loads(data: bytes, buffers: list[Any]) -> Any:
    """The value of a pickle and its buffers."""
    return pickle.loads(data, buffers=buffers)
