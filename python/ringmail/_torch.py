"""Tensors of PyTorch on the CPU: their elements travel beside the pickle as those of an array do, copied once, or not at all in place.

PyTorch's own reductions put a storage into the pickle, or, under ``multiprocessing``, into shared memory that lives and dies with
the process that sent it. Neither is wanted here. What is no plain tensor is reduced as ``pickle`` reduces it: by value.

Nothing of PyTorch is imported before somebody else has.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

#: An integer of the same size, by bytes, for what NumPy has no name for: bfloat16, the 8-bit floats, half complex.
_INTEGERS = {1: "uint8", 2: "int16", 4: "int32", 8: "int64"}


def is_own(torch: Any, obj: Any) -> bool:
    """Whether it is a tensor or a storage: what ``multiprocessing`` would have reduced in PyTorch's way."""
    return isinstance(obj, (torch.Tensor, torch.UntypedStorage, torch.TypedStorage))


def reduce(torch: Any, obj: Any) -> Any:
    """Reduces a tensor or storage; a dense tensor keeps its dtype, shape, order of dimensions and ``requires_grad``."""
    dense = type(obj) is torch.Tensor and obj.device.type == "cpu" and obj.layout is torch.strided
    if not dense or obj.is_quantized or obj.is_conj() or obj.is_neg() or vars(obj) or obj._backward_hooks:
        return obj.__reduce_ex__(5)
    plain, dtype = obj.detach(), None
    try:
        array = plain.numpy()
    except TypeError:
        dtype = str(obj.dtype).removeprefix("torch.")
        array = plain.view(getattr(torch, _INTEGERS[obj.element_size()])).numpy()
    # Slowest dimension first, so that one in channels_last order is contiguous too.
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    array = np.ascontiguousarray(array.transpose(order)) if array.ndim else array
    inverse = None if order == sorted(order) else np.argsort(order).tolist()
    return rebuild, (array, inverse, dtype, obj.requires_grad)


class _Writable:
    """An array's memory, without the note that it is not to be written: a tensor has no such note, and warns of it."""

    def __init__(self, array: Any) -> None:
        self.array = array
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def rebuild(array: Any, order: list[int] | None, dtype: str | None, requires_grad: bool) -> Any:
    """The tensor over an array, which it keeps."""
    torch: Any = importlib.import_module("torch")
    if not array.flags.writeable:
        array = np.asarray(_Writable(array))
    tensor = torch.from_numpy(array)
    if dtype is not None:
        tensor = tensor.view(getattr(torch, dtype))
    if order is not None:
        tensor = tensor.permute(order)
    return tensor.requires_grad_() if requires_grad else tensor
