"""Every value comes out as it went in: type, content, sharing, writability."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import gc
import math
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import weakref
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ringmail

QUEUE: ringmail.Queue = ringmail.Queue(64, max_message_bytes=1 << 30)


class Point(NamedTuple):
    x: float
    y: Any


Plain = collections.namedtuple("Plain", "a b")


@dataclasses.dataclass
class Episode:
    steps: int
    frames: np.ndarray


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Pickled:
    """What only pickle knows, with anything in it."""

    value: Any = 0


class Holder:
    """Likewise, with anything in it."""

    def __init__(self, *held: Any) -> None:
        self.held = held


def trip(value: Any) -> Any:
    QUEUE.put(value)
    return QUEUE.get_nowait()


def content(array: np.ndarray) -> Any:
    """All that an array holds; what lies between the fields of a record is nobody's, and NumPy does not copy it."""
    return [content(array[name]) for name in array.dtype.names] if array.dtype.names else array.tobytes()


def same(a: Any, b: Any) -> bool:
    """Equal, types included, all the way down; nan is nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return bool(
            a.dtype == b.dtype
            and a.shape == b.shape
            and a.flags.writeable == b.flags.writeable
            and content(a) == content(b)
        )
    if isinstance(a, np.generic):
        return bool(a.dtype == b.dtype and a.tobytes() == b.tobytes())
    if isinstance(a, memoryview):
        return (a.format, a.shape, a.readonly, a.tobytes()) == (b.format, b.shape, b.readonly, b.tobytes())
    if isinstance(a, dict):
        return len(a) == len(b) and all(same(p, q) for x, y in zip(a.items(), b.items()) for p, q in zip(x, y))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return math.copysign(1, a) == math.copysign(1, b) and (a == b or (a != a and b != b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, Pickled):
        return same(a.value, b.value)
    if isinstance(a, (set, frozenset)):
        return a == b and sorted(map(repr, a)) == sorted(map(repr, b))
    return bool(a == b)


SCALARS: list[Any] = [
    None, True, False, 0, -1, 127, 128, -32, -33, 255, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1,
    10**100, -(10**100), 0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 1 + 2j, complex(math.nan, -0.0), "", "ab", "ä€𝄞",
    "\x00", "\ud800", "x" * 5000, "ä" * 5000, "\udfff" * 3000, b"", b"\x00", b"x" * 1023, b"x" * 1024, b"y" * 200_000,
    bytearray(), bytearray(b"abc"), bytearray(b"z" * 100_000), ..., Colour.RED, datetime.date(2026, 1, 2), range(3), int, len,
]  # fmt: skip


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: repr(value)[:20])
def test_scalars(value: Any) -> None:
    assert same(trip(value), value)
    assert same(trip([value, (value,), {"k": value}]), [value, (value,), {"k": value}])


@pytest.mark.parametrize(
    "value",
    [[], (), {}, set(), frozenset(), [[]], ((),), {"a": {}}, {1: 2, "x": None, (1, "y"): [3], None: 0}, {1, "a", (2,)},
     frozenset({b"x", frozenset()}), Point(1.0, [2]), [Point(0.0, Point(1.0, None)), Plain(1, 2), Point(3.0, ())]],
    ids=repr,
)  # fmt: skip
def test_containers(value: Any) -> None:
    assert same(trip(value), value)


def test_subclasses_keep_their_class() -> None:
    ordered = collections.OrderedDict([("b", 1), ("a", 2)])
    assert type(trip(ordered)) is collections.OrderedDict and trip(ordered) == ordered
    counter = collections.Counter("abca")
    assert type(trip(counter)) is collections.Counter and trip(counter) == counter
    assert trip(Colour.RED) is Colour.RED


DTYPES = ["?", "i1", "u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8", "<f2", ">f4", "<f8", "<f16",
          "<c8", ">c16", "<c32", "S5", "<U3", ">U2", "<M8[ns]", ">M8[D]", "<m8[us]", "<M8[25s]", "V7", "<M8"]  # fmt: skip


def filled(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    made = np.zeros(shape, dtype)
    if made.nbytes and np.dtype(dtype).kind not in "UVMmSb":
        made[...] = np.arange(made.size).reshape(shape).astype(dtype)
    elif made.nbytes:
        made.reshape(-1).view("u1")[:: made.itemsize] = 1
    return made


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (0,), (3, 0, 2), (2, 3, 4)], ids=str)
def test_arrays(dtype: str, shape: tuple[int, ...]) -> None:
    value = filled(dtype, shape)
    assert same(trip(value), value)
    value.flags.writeable = False
    assert same(trip(value), value)


def test_orders_and_strides() -> None:
    base = np.arange(2 * 3 * 4 * 5, dtype="f4").reshape(2, 3, 4, 5)
    fortran = np.asfortranarray(base)
    assert trip(fortran).flags.f_contiguous and not trip(fortran).flags.c_contiguous
    for value in (base.T, base[::2, ::-1], base[:, 1:, ::2, ::-2], base[..., 0], base.transpose(1, 3, 0, 2), fortran,
                  np.broadcast_to(np.float64(3), (4, 5)), base[:, :, :0], base[1, 2, 3, 4:5]):  # fmt: skip
        got = trip(value)
        assert got.shape == value.shape and got.dtype == value.dtype and np.array_equal(got, value)
    wide = np.arange(60, dtype="c16").reshape(5, 12)[::2, ::3]
    assert np.array_equal(trip(wide), wide)


RECORDS = [
    np.dtype([("a", "<i4"), ("b", ">f8")]),
    np.dtype([("a", "i1"), ("b", "f8")], align=True),
    np.dtype({"names": ["x", "y"], "formats": ["u1", "f4"], "offsets": [9, 3], "itemsize": 20}),
    np.dtype([("p", [("x", "f4"), ("y", "f4")]), ("m", "f8", (2, 3)), ("s", "S4"), ("t", "<M8[ms]")]),
    np.dtype([(("the title", "n"), "i4"), ("o", "U3")]),
]


@pytest.mark.parametrize("dtype", RECORDS, ids=str)
def test_records(dtype: np.dtype) -> None:
    value = np.zeros(5, dtype)
    value.view("u1").reshape(-1)[::3] = 7
    got = trip(value)
    assert same(got, value)
    assert got.dtype.isalignedstruct == dtype.isalignedstruct and got.dtype.fields == dtype.fields
    assert same(trip(value[1]), value[1])
    assert trip(dtype) == dtype


@pytest.mark.parametrize(
    "value",
    [np.bool_(True), np.int8(-3), np.uint64(2**64 - 1), np.float16(1.5), np.float32(np.nan), np.float64(-0.0),
     np.longdouble("1.1"), np.complex64(1 - 2j), np.str_("ä"), np.str_(""), np.bytes_(b"ab"), np.bytes_(b""),
     np.datetime64("2026-01-01T00:00:00.5"), np.datetime64("NaT"), np.timedelta64(3, "h"), np.void(b"abc")],
    ids=repr,
)  # fmt: skip
def test_numpy_scalars(value: np.generic) -> None:
    got = trip(value)
    assert type(got) is type(value) and got.dtype == value.dtype and got.tobytes() == value.tobytes()


@pytest.mark.parametrize("dtype", [*DTYPES, "O"])
def test_dtypes(dtype: str) -> None:
    got = trip(np.dtype(dtype))
    assert got == np.dtype(dtype) and type(got) is type(np.dtype(dtype))


@pytest.mark.parametrize("dtype", ["S0", "U0", "V0", np.dtype([]), [("a", "V0"), ("b", "i4")], [("s", "S0")]], ids=str)
def test_elements_without_bytes(dtype: Any) -> None:
    # NumPy makes S1 and U1 of S0 and U0 where nobody insists.
    for shape in ((), (3,), (0,), (2, 3)):
        value = np.ndarray(shape, np.dtype(dtype))
        assert same(trip(value), value)
    assert trip(np.dtype(dtype)) == np.dtype(dtype)


def test_subclasses_of_arrays(tmp_path: pathlib.Path) -> None:
    records = np.rec.array([(1, 2.0), (3, 4.0)], dtype=[("x", "i4"), ("y", "f8")])
    got = trip(records)
    assert type(got) is np.recarray and got.dtype == records.dtype and got.y.tolist() == [2.0, 4.0]
    assert trip(records[1]).x == 3 and type(trip(records[1])) is type(records[1])
    mapped = np.memmap(tmp_path / "mapped", "f4", "w+", shape=(20, 30))
    mapped[:] = np.arange(600).reshape(20, 30)
    for value in (mapped, mapped[3:7, ::2]):
        assert np.array_equal(trip(value), value)
    matrix = trip(np.ma.masked_array([[1, 2]], mask=[[0, 1]]))
    assert matrix.mask.tolist() == [[False, True]]


def test_keys_of_any_kind() -> None:
    value = {Colour.RED: 1, datetime.date(2026, 1, 1): 2, Point(1.0, 2): 3, frozenset({1}): 4, np.float32(1.5): 5, b"k": 6, ...: 7}
    got = trip(value)
    assert got == value and list(map(type, got)) == list(map(type, value)) and list(got)[0] is Colour.RED


def test_what_only_pickle_knows() -> None:
    objects = np.array([None, {"a": 1}], dtype=object)
    assert trip(objects).tolist() == objects.tolist()
    masked = np.ma.masked_array([1, 2], mask=[0, 1])
    assert trip(masked).tolist() == [1, None]
    episode = trip(Episode(3, np.arange(100_000, dtype="f8")))
    assert episode.steps == 3 and np.array_equal(episode.frames, np.arange(100_000)) and episode.frames.flags.writeable
    described = np.dtype("f4", metadata={"unit": "m"})
    assert trip(np.zeros(2, described)).dtype.metadata == {"unit": "m"}
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        QUEUE.put(lambda: None)
    assert QUEUE.empty()


def test_memoryviews() -> None:
    for value in (memoryview(b"abc"), memoryview(bytearray(b"xyz")), memoryview(np.arange(12.0).reshape(3, 4)),
                  memoryview(b"12345678").cast("I"), memoryview(b""), memoryview(bytearray(300_000))):  # fmt: skip
        assert same(trip(value), value)
    strided = memoryview(bytes(range(10)))[::3]
    assert trip(strided).tolist() == strided.tolist()
    fortran = memoryview(np.asfortranarray(np.arange(6, dtype="i4").reshape(2, 3)))
    got = trip(fortran)
    assert got.f_contiguous and got.tolist() == fortran.tolist()


def test_sharing_and_cycles() -> None:
    inner = [1]
    array = np.arange(5.0)
    text = "long" * 1000
    got = trip([inner, inner, (inner,), {"k": inner}, array, array, text, text])
    assert got[0] is got[1] is got[2][0] is got[3]["k"] and got[4] is got[5] and got[6] is got[7]
    loop: list[Any] = [1]
    loop.append(loop)
    got = trip(loop)
    assert got[1] is got and got[0] == 1
    both: dict[str, Any] = {}
    both["me"] = [both]
    assert trip(both)["me"][0] is not both
    got = trip(both)
    assert got["me"][0] is got
    knot: tuple[list[Any], int] = ([], 1)
    knot[0].append(knot)
    got = trip(knot)
    assert got[0][0] is got
    shared = Plain([], 1)
    got = trip([shared, shared])
    assert got[0] is got[1] and type(got[0]) is Plain


def shared_beside(held: Any) -> list[list[Any]]:
    """The same thing twice in a value, in pickles and beside them; each pair in what comes back is to be one object."""
    got = [trip([Holder(held), held]), trip([held, Holder(held)]), trip([Holder(held), Holder([held])])]
    got += [trip({"first": (Holder([held]), 1), "then": {"deep": [held]}}), trip((held, [(Holder({"k": held}),)]))]
    return [
        [got[0][0].held[0], got[0][1]],
        [got[1][0], got[1][1].held[0]],
        [got[2][0].held[0], got[2][1].held[0][0]],
        [got[3]["first"][0].held[0][0], got[3]["then"]["deep"][0]],
        [got[4][0], got[4][1][0][0].held[0]["k"]],
    ]


@pytest.mark.parametrize(
    "held",
    [np.arange(5.0), np.arange(100_000.0), [1], {"a": 1}, {1, 2}, bytearray(b"abc"), b"y" * 5000, "z" * 5000, Holder(1),
     Episode(1, np.zeros(2)), np.ma.masked_array([1], [0])],
    ids=lambda held: type(held).__name__,
)  # fmt: skip
def test_what_pickles_share_is_shared(held: Any) -> None:
    for one, other in shared_beside(held):
        assert type(one) is type(held) and one is other


def test_what_pickles_share_is_shared_among_much_else() -> None:
    episode = Episode(3, np.arange(1000.0))
    got = trip([episode, episode.frames])
    assert got[0].frames is got[1] and got[1].sum() == 499500
    steps = [np.full(1000, number) for number in range(4)]
    chain = trip([Holder(a, b) for a, b in zip(steps, steps[1:])])
    assert chain[0].held[1] is chain[1].held[0] and chain[1].held[1] is chain[2].held[0]
    tree: Any = {"list": [np.zeros(3), (1, b"x" * 2000)], "named": Plain(1, 2)}
    tree["late"] = [[Holder(tree["list"][0])], Holder(datetime.date(2026, 1, 1))]
    got = trip(tree)
    assert got["late"][0][0].held[0] is got["list"][0] and type(got["named"]) is Plain


def test_a_pickle_within_what_it_holds() -> None:
    loop: list[Any] = []
    loop.append(Holder(loop))
    got = trip(loop)
    assert got[0].held[0] is got
    mapping: dict[str, Any] = {}
    mapping["deep"] = [(Holder([mapping]),)]
    got = trip(mapping)
    assert got["deep"][0][0].held[0][0] is got
    knot: tuple[Any, ...] = ([], 1)
    knot[0].append(Holder(knot))
    got = trip(knot)
    assert got[0][0].held[0] is got


def structure(value: Any) -> bytes:
    """The message of a value."""
    sender, receiver = ringmail.pair(1)
    sender.put(value)
    with receiver.recv() as message:
        return bytes(message.raw())


def test_pickles_that_share_nothing_are_parts() -> None:
    """So that Rust reads what is around them; classes, dtypes and short text are no reason."""
    array = np.zeros(3)
    for parts in ([datetime.date(2026, 1, 1), Colour.RED], [Episode(1, np.zeros(2)), Episode(2, np.ones(2))], [int, Holder(int)],
                  [Holder("text", b"bytes"), "text", Holder("text", b"bytes")], [Colour.RED, Colour.RED]):  # fmt: skip
        message = structure({"what is around": array, "parts": parts})
        pickles = len({id(part) for part in parts if part != "text"})
        assert b"what is around" in message[:40] and message.count(b"\x80\x05\x95") == pickles
    # Many are quicker in one.
    many = [Holder(number) for number in range(1000)]
    assert structure(many).count(b"\x80\x05\x95") == 1
    assert [holder.held for holder in trip(many)] == [(number,) for number in range(1000)]


def test_views_in_what_is_pickled_as_a_whole() -> None:
    inner = [1]
    views = [memoryview(b"abc"), memoryview(bytearray(5000)), memoryview(np.arange(6.0).reshape(2, 3)), memoryview(b""),
             memoryview(bytes(range(10)))[::3], memoryview(np.array(2.5)), memoryview(np.zeros(0, "i4"))]  # fmt: skip
    for view in views:
        got = trip([view, Holder(inner), inner])
        assert got[1].held[0] is got[2] and got[0].tolist() == view.tolist()
        assert (got[0].format, got[0].shape) == (view.format, view.shape)
        assert got[0].readonly == (view.readonly or not view.c_contiguous)
    with pytest.raises(ValueError, match="format"):
        QUEUE.put([memoryview(np.zeros(2, "f4,f8")), Holder(inner), inner])
    assert QUEUE.empty()


def test_shared_pickles_can_be_forbidden() -> None:
    queue: ringmail.Queue = ringmail.Queue(4, allow_pickle=False)
    inner = [1]
    queue.put([Holder(inner), inner])
    with pytest.raises(pickle.UnpicklingError, match="allow_pickle"):
        queue.get_nowait()


UNKNOWN = """
import collections, sys
import ringmail
class Seen(collections.namedtuple("Seen", "a b")): __slots__ = ()
Other = collections.namedtuple("Other", sys.argv[2].split())
sender = ringmail.Ring.open(sys.argv[1]).sender()
for number in range(3):
    sender.put([Seen(number, 1), Seen(number, 2)])
sender.put(Other(*range(len(Other._fields))))
if sys.argv[3:]:
    for number in range(int(sys.argv[3])):
        name = f"Made{number}"
        globals()[name] = collections.namedtuple(name, "x")
        sender.put(globals()[name](number))
assert sender.wait_for_all_ack(20)
"""


def test_classes_that_this_process_has_not_are_made_once() -> None:
    name = f"python-test-classes-{os.getpid()}"
    ring = ringmail.Ring.create(name, 4, keep_open=True)
    receiver = ring.receiver()
    classes = []
    for fields in ("x", "y z"):
        with subprocess.Popen([sys.executable, "-c", UNKNOWN, name, fields]) as child:
            got = [receiver.get(timeout=30) for _ in range(3)]
            assert {type(each) for pair in got for each in pair} == {type(got[0][0])} and got[2][1] == (2, 2)
            classes.append(type(got[0][0]))
            other = receiver.get(timeout=30)
            assert " ".join(other._fields) == fields
            classes.append(type(other))
            assert child.wait(30) == 0
    assert classes[0] is classes[2] and classes[1] is not classes[3]
    # What any process may ask for is bounded.
    with subprocess.Popen([sys.executable, "-c", UNKNOWN, name, "x", "600"]) as child:
        made = [weakref.ref(type(value)) for value in (receiver.get(timeout=30) for _ in range(604)) if type(value) is not list]
        assert child.wait(30) == 0
    ringmail.Ring.unlink(name)
    gc.collect()
    assert 0 < sum(ref() is not None for ref in made) <= 256


def test_depth() -> None:
    deep: Any = None
    for _ in range(100_000):
        deep = [deep]
    got = trip(deep)
    for _ in range(100_000):
        (got,) = got
    assert got is None
    # A chain of tuples cannot be taken apart by the interpreter itself at any depth, so not too deep.
    deep = ()
    for _ in range(150):
        deep = (deep, {"k": deep})
        deep = (deep[0],)
    assert same(trip(deep), deep)
    # Nor can it compare, or let go of, any depth at once.
    deep = "bottom"
    for level in range(20_000):
        deep = ({"level": level, "down": deep}, frozenset({level}))
    got = trip(deep)
    for level in reversed(range(20_000)):
        assert type(got) is tuple and got[0]["level"] == level and got[1] == {level}
        got, deep = got[0]["down"], deep[0]["down"]
    assert got == deep == "bottom"


def test_pickle_can_be_forbidden() -> None:
    queue: ringmail.Queue = ringmail.Queue(4, allow_pickle=False)
    for value in ({"a": [1, (2.0, b"x"), np.arange(3)], "n": Plain(1, 2)}, {1}, 10**50):
        queue.put(value)
        assert repr(queue.get_nowait()) == repr(value)
    queue.put(datetime.date(2026, 1, 1))
    queue.put("next")
    with pytest.raises(pickle.UnpicklingError, match="allow_pickle"):
        queue.get_nowait()
    assert queue.get_nowait() == "next"


def test_a_message_that_is_no_value() -> None:
    sender, receiver = ringmail.pair(2)
    sender.send(b"no value at all")
    with pytest.raises(ValueError, match="not a value"):
        receiver.get_nowait()
    sender.send(memoryview(b"raw bytes"))
    with receiver.recv() as message:
        assert bytes(message.raw()) == b"raw bytes" and message.nbytes == 9


def view_message(format: str, item: int, count: int) -> bytearray:
    """The message of a writable view of so many items, of that format and of so many bytes each."""
    message = bytearray(structure(memoryview(bytearray(item * count))))
    place = message.index(b"B")
    message[place - 16 : place + 1] = item.to_bytes(8, "little") + count.to_bytes(8, "little") + format.encode()
    return message


@pytest.mark.parametrize(("format", "item", "count"), [("d", 1, 16), ("B", 2, 8), ("q", 4, 4), ("B", 0, 1 << 40), ("c", 0, 1)])
def test_items_of_a_view_are_as_long_as_their_format_says(format: str, item: int, count: int) -> None:
    """Or whoever looks at one would look beyond the message, and write there."""
    sender, receiver = ringmail.pair(1)
    for _ in range(2):
        sender.send(view_message(format, item, count))
        with pytest.raises(ValueError, match="items of a memoryview"):
            receiver.get_nowait()
    sender.send(view_message(format, item, count))
    with receiver.recv() as message, pytest.raises(ValueError, match="items of a memoryview"):
        message.value()
    sender.send(view_message("d", 8, 2))
    assert receiver.get_nowait().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("error", [MemoryError, RecursionError, KeyboardInterrupt])
def test_only_what_struct_does_not_know_is_a_format_of_any_length(error: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    def calcsize(format: str) -> int:
        raise error

    sender, receiver = ringmail.pair(1)
    sender.send(view_message("d", 1, 16))
    with monkeypatch.context() as patched, pytest.raises(error):
        patched.setattr(struct, "calcsize", calcsize)
        receiver.get_nowait()
    for names in ("ab", "\u00e9b"):
        items = np.array([(1, 2.0), (3, 4.0)], [(names[0], "i4"), (names[1], "f8")])
        sender.put(memoryview(items))
        got = receiver.get_nowait()
        assert got.format == memoryview(items).format and bytes(got) == items.tobytes()


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_value_or_a_value_error(noise: bytes) -> None:
    sender, receiver = ringmail.pair(2)
    for data in (noise, b"\xc1\x01\x00\x00\x00\x00\x00\x00" + len(noise).to_bytes(8, "little") + noise):
        sender.send(data)
        try:
            receiver.get_nowait()
        except (ValueError, TypeError):
            pass


def arrays() -> st.SearchStrategy[np.ndarray]:
    """Of any dtype, in C order, Fortran's, or none."""

    def ordered(made: tuple[Any, list[int], str]) -> np.ndarray:
        dtype, shape, order = made
        array = filled(dtype, tuple(shape)) if isinstance(dtype, str) else np.zeros(shape, dtype)
        if order == "F":
            return np.asfortranarray(array)
        if order == "strided" and array.ndim:
            return array[..., ::-2].T
        array.flags.writeable = order != "read-only"
        return array

    orders = st.sampled_from(["C", "F", "strided", "read-only"])
    dtypes = st.sampled_from([*DTYPES, *RECORDS])
    return st.tuples(dtypes, st.lists(st.integers(0, 4), max_size=3), orders).map(ordered)


def scalars() -> st.SearchStrategy[np.generic]:
    # `filled` has no letters that a str could have.
    dtypes = [dtype for dtype in DTYPES if "U" not in dtype]
    return st.sampled_from(dtypes).map(lambda dtype: filled(dtype, (1,))[0])


def hashable() -> st.SearchStrategy[Any]:
    text = st.text(st.characters(codec=None), max_size=20)
    return st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), text, st.binary(max_size=20))


def leaves() -> st.SearchStrategy[Any]:
    return st.one_of(
        hashable(),
        st.floats(),
        st.complex_numbers(),
        arrays(),
        scalars(),
        st.sampled_from(DTYPES + RECORDS).map(np.dtype),
        st.binary(min_size=1000, max_size=3000),
        st.binary(max_size=2000).map(bytearray),
        st.binary(max_size=2000).map(memoryview),
    )


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(hashable(), inner, max_size=5),
        st.sets(hashable(), max_size=4),
        st.frozensets(hashable(), max_size=4),
        st.tuples(inner, inner).map(lambda made: Plain(*made)),
    )


def nested() -> st.SearchStrategy[Any]:
    return st.recursive(leaves(), containers, max_leaves=25)


def is_kept(value: Any) -> bool:
    """Whether pickle keeps all of it. Of arrays that it copies, as those in pieces and those of dates, NumPy's part makes writable ones, and of
    big-endian ones native ones."""
    if type(value) is memoryview:
        return False
    return not isinstance(value, np.ndarray) or same(pickle.loads(pickle.dumps(value, 5)), value)


def foreign() -> st.SearchStrategy[Any]:
    """With objects that only pickle knows anywhere."""
    leaf = leaves().filter(is_kept)
    return st.recursive(leaf, lambda inner: containers(inner) | inner.map(Pickled), max_leaves=15)


@given(nested())
@settings(max_examples=300, deadline=None)
def test_random_nested_values(value: Any) -> None:
    assert same(trip(value), value)


@given(nested())
@settings(max_examples=150, deadline=None)
def test_random_values_without_pickle(value: Any) -> None:
    queue: ringmail.Queue = ringmail.Queue(1, allow_pickle=False)
    with queue:
        queue.put(value)
        assert same(queue.get_nowait(), value)


def thawed(got: Any, sent: Any) -> bool:
    """As `same`, of arrays and views in place: read-only, whatever was sent."""
    if isinstance(got, np.ndarray):
        return not got.flags.writeable and got.dtype == sent.dtype and got.shape == sent.shape and content(got) == content(sent)
    if isinstance(got, memoryview):
        return got.readonly and got.tolist() == sent.tolist()
    if isinstance(got, dict):
        return len(got) == len(sent) and all(map(thawed, got.values(), sent.values()))
    if isinstance(got, (list, tuple)):
        return type(got) is type(sent) and len(got) == len(sent) and all(map(thawed, got, sent))
    return same(got, sent)


@given(nested())
@settings(max_examples=150, deadline=None)
def test_random_values_in_place(value: Any) -> None:
    QUEUE.put(value)
    with QUEUE.recv() as message:
        assert thawed(message.value(), value)
    assert QUEUE.empty()


@given(foreign())
@settings(max_examples=150, deadline=None)
def test_random_values_with_pickles(value: Any) -> None:
    assert same(trip(value), value)


def shape_of(value: Any, seen: dict[int, int] | None = None) -> Any:
    """How a tree of lists, dicts, arrays and pickled objects is knotted: each by the number at which it was met first."""
    seen = {} if seen is None else seen
    if isinstance(value, int):
        return value
    if id(value) in seen:
        return ("again", seen[id(value)])
    seen[id(value)] = len(seen)
    if isinstance(value, np.ndarray):
        return ("array", value.tolist())
    if isinstance(value, dict):
        return ("dict", [(key, shape_of(item, seen)) for key, item in value.items()])
    if isinstance(value, Pickled):
        return ("pickled", shape_of(value.value, seen))
    return ("list", [shape_of(item, seen) for item in value])


@given(st.lists(st.tuples(st.sampled_from("ldpa"), st.lists(st.integers(0, 12), max_size=4)), min_size=1, max_size=12))
@settings(max_examples=400, deadline=None)
def test_random_knots(plan: list[tuple[str, list[int]]]) -> None:
    """Anything in anything, itself included."""
    made: list[Any] = [{"l": list, "d": dict, "p": Pickled, "a": lambda: np.arange(3)}[kind]() for kind, _ in plan]
    for (kind, links), each in zip(plan, made):
        targets = [made[link % len(made)] for link in links]
        if kind == "l":
            each += targets
        elif kind == "d":
            each.update(enumerate(targets))
        elif kind == "p":
            each.value = targets[0] if targets else 0
    assert shape_of(trip(made[0])) == shape_of(made[0])


def nested_example() -> dict[str, Any]:
    """The example of py-sharedmemory's README, in a small size."""
    return {
        "test_id": 98765, "description": "everything", "is_active": True, "none": None,
        "parameters": {"rate": 0.001, "eps": 1e-8, "bytes": b"\x01\x02", "negative": -(10**30), "complex": 1j},
        "samples": [{"image": np.random.default_rng(0).random((32, 32, 3), "f4"), "flags": [True, False], "meta": ("png", 32)}],
        "dtypes": [np.dtype("float32"), np.dtype("bool")], "sets": [{101, 202}, {b"success", b"failed"}],
        "nested": {"level": [1, (2, {"array": np.arange(5)}), Point(1.0, 2.0)]},
        "scalars": [np.float32(1.5), np.int64(7)], "frozen": frozenset({"a"}), "bytearray": bytearray(b"ab"),
        "empty": [[], {}, set(), (), b"", "", np.zeros((0, 3))], "keys": {1: 2, (1, 2): 3, None: 4},
        "array": np.random.default_rng(1).random((2, 5, 4, 84, 84, 3), "f4"),
    }  # fmt: skip


def test_the_nested_example() -> None:
    value = nested_example()
    assert same(trip(value), value)
    queue: ringmail.Queue = ringmail.Queue(1, allow_pickle=False)
    queue.put(value)
    with queue.recv() as message:
        assert thawed(message.value(), value)
