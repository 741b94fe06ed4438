"""Tensors of PyTorch on the CPU: they come out as they went in, copied once, and in place not at all."""

from __future__ import annotations

import gc
import pickle
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import pytest

import ringmail
from ringmail import _pickle

torch: Any = pytest.importorskip("torch", reason="PyTorch is not installed")

DTYPES = ["float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool", "complex64",
          "complex128", "float8_e4m3fn"]  # fmt: skip


def trip(value: Any) -> Any:
    sender, receiver = ringmail.pair(1, max_message_bytes=1 << 28)
    sender.put(value)
    return receiver.get()


def same(a: Any, b: Any) -> bool:
    """Bit by bit, with all that a tensor has."""
    return (
        type(a) is type(b)
        and (a.dtype, a.shape, a.requires_grad, a.device) == (b.dtype, b.shape, b.requires_grad, b.device)
        and bool(torch.equal(bits(a), bits(b)))
    )


def bits(tensor: Any) -> Any:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (7,), (0, 3), (2, 3, 4)], ids=str)
def test_every_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    size = int(np.prod(shape, dtype=int))
    made = torch.arange(size).to(torch.float32).to(getattr(torch, dtype)).reshape(shape)
    assert same(trip(made), made)
    assert same(trip({"nested": [made]})["nested"][0], made)


def test_order_of_dimensions_is_kept() -> None:
    base = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5)
    for made in (base.to(memory_format=torch.channels_last), base.permute(3, 0, 2, 1), base[0, 0].t()):
        got = trip(made)
        assert same(got, made) and got.stride() == made.stride()
    for made in (base[:, 1:, ::2], base[..., 0], base[0, 0, 0, :1].expand(5)):
        got = trip(made)
        assert same(got, made) and got.is_contiguous()


def test_as_pickle_does() -> None:
    """``requires_grad`` is kept, a gradient and its graph are not; one tensor met twice is one, two views of a storage are two."""
    leaf = torch.ones(3, requires_grad=True)
    (leaf * 2).sum().backward()
    derived = leaf * 2
    tensor = torch.arange(10.0)
    value = [leaf, derived, torch.nn.Parameter(torch.ones(2), requires_grad=False), tensor, tensor, tensor[2:5]]
    plain, got = pickle.loads(pickle.dumps(value, 5)), trip(value)
    for ours, theirs, sent in zip(got, plain, value, strict=True):
        assert same(ours, theirs) and same(ours, sent) and ours.is_leaf and ours.grad is None
    for each in (plain, got):
        assert each[3] is each[4] and each[5].untyped_storage().data_ptr() != each[3].untyped_storage().data_ptr()
    got[3][0] = 7
    assert got[4][0] == 7 and tensor[0] == 0, "a copy, and one that can be written"


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_what_is_no_plain_tensor_goes_by_value() -> None:
    sparse = torch.sparse_coo_tensor([[0, 2]], [1.0, 2.0], (3,))
    assert torch.equal(trip(sparse).to_dense(), sparse.to_dense())
    conjugate = torch.tensor([1 + 2j, 3j]).conj()
    assert torch.equal(trip(conjugate), conjugate)
    quantized = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)
    assert torch.equal(trip(quantized).dequantize(), quantized.dequantize())
    named = torch.ones(2)
    named.name_of_mine = "x"
    assert trip(named).name_of_mine == "x" and same(trip(named), torch.ones(2))
    storage = torch.arange(4).storage()
    got = trip(storage)
    assert got.tolist() == storage.tolist() and not got.is_shared() and not storage.is_shared()
    module = torch.nn.Linear(3, 2)
    other = trip(module)
    assert same(other.weight, module.weight) and torch.equal(other(torch.ones(3)), module(torch.ones(3)))


def test_one_copy_in() -> None:
    """What is copied into the ring is the tensor's own memory, and the pickle is but a few words."""
    for made in (torch.zeros(100_000), torch.zeros(10, 100, 100).permute(2, 0, 1), torch.nn.Parameter(torch.ones(50_000))):
        data, (buffer,) = _pickle.dumps(made)
        assert len(data) < 500 and buffer.nbytes == made.numel() * 4
        assert np.frombuffer(buffer, "u1").ctypes.data == made.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_none_out_in_place(dtype: Any) -> None:
    sender, receiver = ringmail.pair(1)
    sender.put({"obs": torch.full((1000, 100), 3, dtype=dtype), "reward": 1.0})
    with receiver.recv() as message:
        start = np.frombuffer(message.raw(), "u1").ctypes.data
        obs = message.value()["obs"]
        assert start <= obs.data_ptr() < start + message.nbytes and obs.data_ptr() % 64 == 0
        assert obs.sum() == 300_000
        del obs
        kept = message.value()["obs"][10:20, :2]
    del message
    gc.collect()
    assert sender.qsize() == 1, "a view of it is left"
    assert kept.sum() == 60
    del kept
    gc.collect()
    assert sender.qsize() == 0


def answer(inbox: ringmail.Receiver, outbox: ringmail.Sender) -> None:
    with inbox.recv() as message:
        batch = message.value()
        outbox.put({name: tensor * 2 for name, tensor in batch.items()})
        del batch
    outbox.wait_for_all_ack(30)


def test_between_processes_it_outlives_its_sender(context: BaseContext) -> None:
    sender, inbox = ringmail.pair(1)
    outbox, receiver = ringmail.pair(1)
    process = context.Process(target=answer, args=(inbox, outbox))  # type: ignore[attr-defined]
    process.start()
    weights = torch.arange(20_000.0, requires_grad=True)
    sender.put({"w": weights})
    got = receiver.get(timeout=50)["w"]
    process.kill()
    process.join()
    assert got.sum() == 2 * weights.sum()
