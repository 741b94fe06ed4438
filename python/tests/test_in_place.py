"""Messages in place: a slot is not used again while anybody can see into it."""

from __future__ import annotations

import gc
import pickle
import queue as std
from typing import Any

import numpy as np
import pytest

import ringmail


def backlog(end: ringmail.Sender | ringmail.Receiver) -> int:
    gc.collect()
    return end.qsize()


def test_recv_is_a_view_and_acknowledges_at_the_end() -> None:
    sender, receiver = ringmail.pair(2)
    value = np.arange(100_000, dtype="f4").reshape(10, -1)
    sender.put(value)
    with receiver.recv() as message:
        array = message.array()
        assert array.dtype == value.dtype and array.shape == value.shape and np.array_equal(array, value)
        assert not array.flags.writeable and not array.flags.owndata
        assert array.ctypes.data % 64 == 0
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError):
            array.flags.writeable = True
        assert backlog(sender) == 1
        del array
        assert backlog(sender) == 1, "the message itself is still held"
    assert backlog(sender) == 0
    assert message.released
    with pytest.raises(ValueError, match="released"):
        message.array()


def from_dlpack(array: np.ndarray) -> Any:
    """Which NumPy refuses for arrays that are read-only, before 2.1."""
    try:
        return np.from_dlpack(array)
    except (BufferError, TypeError):
        return array


def aliases(message: ringmail.Message) -> dict[str, Any]:
    """Every way to keep looking at a message that we could think of."""
    array = message.array()
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return {
        "array": array,
        "slice": array[3:5],
        "view": array.view("u1"),
        "reshaped": array.reshape(2, -1).T,
        "memoryview": memoryview(array),
        "memoryview of a slice": memoryview(array)[4:],
        "frombuffer": np.frombuffer(array, "u1"),
        "ndarray(buffer=)": np.ndarray(array.shape, array.dtype, buffer=base),
        "ndarray(buffer=memoryview)": np.ndarray(array.shape, array.dtype, buffer=memoryview(base)),
        "asarray": np.asarray(memoryview(array)),
        "raw": message.raw(),
        "raw as array": np.asarray(message.raw()),
        "ctypes": array.ctypes,
        "flat": array.flat,
        "record": array.view("f4,f4")[0],
        "from_dlpack": from_dlpack(array),
        "PickleBuffer": pickle.PickleBuffer(array),
        "memoryview of a PickleBuffer": memoryview(pickle.PickleBuffer(array)),
        "as_strided": np.lib.stride_tricks.as_strided(array, (2,), (4,)),
        "broadcast_to": np.broadcast_to(array[-1:], (3, 3)),
        "broadcast_to of it all": np.broadcast_to(array, (2, *array.shape)),
    }


def names() -> list[str]:
    sender, receiver = ringmail.pair(1)
    sender.put(np.arange(64, dtype="f4"))
    with receiver.recv() as message:
        return list(aliases(message))


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("length", [64, 100_000], ids=["with its slot", "in a body"])
def test_the_slot_is_not_used_again_while_it_is_seen(name: str, length: int) -> None:
    """The re-use trap: one slot, so that the next message would overwrite the first."""
    sender, receiver = ringmail.pair(1)
    sender.put(np.full(length, 1, "f4"))
    with receiver.recv() as message:
        kept = aliases(message)[name]
    del message
    assert backlog(sender) == 1
    with pytest.raises(std.Full):
        sender.put(np.full(length, 2, "f4"), timeout=0)
    if isinstance(kept, (np.ndarray, memoryview)):
        assert (np.asarray(kept).ravel()[-2:] == np.full(length, 1, "f4").view(kept_type(kept)).ravel()[-2:]).all()
    del kept
    assert backlog(sender) == 0
    sender.put(np.full(length, 2, "f4"), timeout=5)
    assert receiver.get()[0] == 2


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        (np.dtype(("f4", (3, 1))), (2, 3, 1)),
        (np.dtype((np.dtype(("f4", (3,))), (2,))), (2, 2, 3)),
        (np.dtype((np.dtype((np.dtype(("f4", (1, 3))), (2,))), (1,))), (2, 1, 2, 1, 3)),
    ],
)
def test_elements_that_are_arrays_are_more_dimensions_of_a_loan(dtype: np.dtype, shape: tuple[int, ...]) -> None:
    sender, receiver = ringmail.pair(1)
    count = int(np.prod(shape))
    with sender.loan(2, dtype) as array:
        assert array.shape == np.zeros(2, dtype).shape == shape
        array[:] = np.arange(count).reshape(shape)
    got = receiver.get_nowait()
    assert got.shape == shape and got.dtype == "f4" and got.ravel().tolist() == list(range(count))


def test_a_memoryview_in_a_message_is_a_view() -> None:
    sender, receiver = ringmail.pair(1)
    sender.put([memoryview(np.arange(5000.0).reshape(50, 100))])
    with receiver.recv() as message:
        (view,) = message.value()
    assert view.shape == (50, 100) and view.readonly and view[49, 99] == 4999
    part = np.asarray(view)[3:, 2]
    view.release()
    del view
    assert backlog(sender) == 1 and part[0] == 302
    with pytest.raises(std.Full):
        sender.put("next", timeout=0)
    del part
    assert backlog(sender) == 0


def kept_type(kept: Any) -> np.dtype:
    return np.asarray(kept).dtype


def test_without_views_the_slot_is_free_at_once() -> None:
    sender, receiver = ringmail.pair(1)
    sender.put(np.arange(10))
    with receiver.recv() as message:
        total = message.array().sum()
    sender.put_nowait("next")
    assert total == 45 and receiver.get() == "next"


def test_nested_values_have_views() -> None:
    sender, receiver = ringmail.pair(2)
    value = {"a": np.arange(1000.0), "b": [np.ones((3, 3), "u1"), {"c": np.asfortranarray(np.eye(4))}], "n": 1}
    sender.put(value)
    with receiver.recv() as message:
        got = message.value()
        arrays = [got["a"], got["b"][0], got["b"][1]["c"]]
        assert got["n"] == 1 and arrays[2].flags.f_contiguous
        for array, sent in zip(arrays, (value["a"], value["b"][0], value["b"][1]["c"])):  # type: ignore[index]
            assert np.array_equal(array, sent) and not array.flags.writeable and array.ctypes.data % 64 == 0
        last = arrays.pop()
        del got, arrays, array
    assert backlog(sender) == 1
    assert last[0, 0] == 1
    del last
    assert backlog(sender) == 0


def test_buffers_of_pickles_are_views() -> None:
    class Holder:
        pass

    masked = np.ma.masked_array(np.arange(50_000.0), mask=False)
    sender, receiver = ringmail.pair(1)
    sender.put(masked)
    with receiver.recv() as message:
        got = message.value()
        assert got.sum() == masked.sum()
    del got
    assert backlog(sender) == 0


def test_no_array_is_a_type_error() -> None:
    sender, receiver = ringmail.pair(1)
    sender.put([1])
    with receiver.recv() as message:
        with pytest.raises(TypeError, match="list"):
            message.array()
        assert message.value() == [1]


def test_reject_gives_it_to_the_next() -> None:
    sender, receiver = ringmail.pair(2)
    sender.put(np.arange(3))
    message = receiver.recv()
    assert message.redelivered == 0
    array = message.array()
    with pytest.raises(BufferError, match="views"):
        message.reject()
    del array
    message.reject()
    with receiver.recv() as again:
        assert again.redelivered == 1 and again.array().tolist() == [0, 1, 2]
    with pytest.raises(ValueError):
        again.reject()


def test_messages_are_released_in_any_order() -> None:
    sender, receiver = ringmail.pair(4)
    for number in range(4):
        sender.put(np.full(5000, number))
    held = [receiver.recv() for _ in range(4)]
    held[2].release()
    sender.put("x")
    assert [held[place].array()[0] for place in (0, 1, 3)] == [0, 1, 3]
    held.clear()
    assert receiver.get() == "x" and backlog(sender) == 0


def test_loan() -> None:
    sender, receiver = ringmail.pair(2)
    with sender.loan((1080, 1920, 3), "u1") as frame:
        assert frame.shape == (1080, 1920, 3) and frame.dtype == np.uint8 and frame.flags.writeable
        assert frame.ctypes.data % 64 == 0
        frame[...] = 7
        with pytest.raises(std.Empty):
            receiver.get_nowait()
    assert not frame.flags.writeable, "it is somebody else's now"
    with receiver.recv() as message:
        array = message.array()
        assert array.shape == (1080, 1920, 3) and (array == 7).all()
        del array


@pytest.mark.parametrize("shape", [5, (), (0,), (2, 3), [4]], ids=str)
@pytest.mark.parametrize("dtype", ["u1", ">f8", "<M8[s]", np.float32, [("a", "i2"), ("b", "f4")]], ids=str)
def test_loans_of_any_shape_and_type(shape: Any, dtype: Any) -> None:
    sender, receiver = ringmail.pair(2)
    with sender.loan(shape, dtype) as frame:
        frame.view("u1") if frame.ndim else None
        frame[...] = np.zeros((), dtype)
    got = receiver.get_nowait()
    assert got.dtype == np.dtype(dtype) and got.shape == np.zeros(shape).shape and not got.tobytes().strip(b"\0")


def test_a_loan_is_given_back_on_an_exception() -> None:
    sender, receiver = ringmail.pair(1)
    with pytest.raises(ZeroDivisionError), sender.loan(1000, "f4") as frame:
        frame[0] = 1 / 0
    assert not frame.flags.writeable and sender.has_space()
    with pytest.raises(std.Empty):
        receiver.get_nowait()
    loan = sender.loan(10, "i8")
    assert not sender.has_space()
    with pytest.raises(std.Full):
        sender.loan(10, "i8", timeout=0.05)
    loan.array[:] = 3
    loan.commit()
    with pytest.raises(ValueError, match="over"):
        loan.commit()
    loan.abort()
    assert receiver.get().sum() == 30
    loan = sender.loan(10, "i8")
    del loan
    gc.collect()
    assert sender.has_space()


def test_bad_loans() -> None:
    sender, _ = ringmail.pair(1, max_message_bytes=10_000)
    with pytest.raises(ValueError, match="shared memory"):
        sender.loan(1, "O")
    with pytest.raises(ValueError, match="max_message_bytes"):
        sender.loan(10_000, "f8")
    with pytest.raises(TypeError):
        sender.loan("x", "f8")  # type: ignore[arg-type]
    with pytest.raises((ValueError, OverflowError, TypeError)):
        sender.loan((-1,), "f8")
    assert sender.has_space()


def test_what_was_lent_stays_mapped_and_keeps_nobody_from_leaving() -> None:
    sender, receiver = ringmail.pair(1)
    with sender.loan(1000, "i8") as frame:
        frame[:] = 5
    sender.close()
    assert receiver.get().sum() == 5000
    with pytest.raises(ringmail.Disconnected):
        receiver.get(timeout=5)
    receiver.close()
    del sender, receiver
    gc.collect()
    frame.sum()
