"""Every value comes out as it went in: type, content, sharing, writability."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import math
import pickle
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


def trip(value: Any) -> Any:
    QUEUE.put(value)
    return QUEUE.get_nowait()


def same(a: Any, b: Any) -> bool:
    """Equal, types included, all the way down; nan is nan."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return bool(
            a.dtype == b.dtype
            and a.shape == b.shape
            and a.flags.writeable == b.flags.writeable
            and a.tobytes() == b.tobytes()
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


DTYPES = ["?", "i1", "u1", "<i2", ">i2", "<u4", ">u8", "<i8", "<f2", ">f4", "<f8", "<f16", "<c8", ">c16", "S5", "<U3", ">U2",
          "<M8[ns]", ">M8[D]", "<m8[us]", "<M8[25s]", "V7", "<M8"]  # fmt: skip


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


def nested() -> st.SearchStrategy[Any]:
    text = st.text(st.characters(codec=None), max_size=20)
    array = st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3)).map(
        lambda made: filled(made[0], tuple(made[1]))
    )
    hashable = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), text, st.binary(max_size=20)
    )
    leaf = st.one_of(hashable, st.floats(), st.complex_numbers(), array, st.binary(min_size=1000, max_size=3000))
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.lists(inner, max_size=5).map(tuple),
            st.dictionaries(hashable, inner, max_size=5),
            st.sets(hashable, max_size=4),
            st.frozensets(hashable, max_size=4),
            st.tuples(inner, inner).map(lambda made: Plain(*made)),
        ),
        max_leaves=25,
    )


@given(nested())
@settings(max_examples=500, deadline=None)
def test_random_nested_values(value: Any) -> None:
    assert same(trip(value), value)


def test_the_nested_example() -> None:
    """The example of py-sharedmemory's README, scaled down."""
    value = {
        "int": 42, "float": 3.14, "complex": 1 + 2j, "str": "hello", "none": None, "bool": True, "bytes": b"\x00\x01",
        "bytearray": bytearray(b"ab"), "np_scalar": np.float32(1.5), "np_int": np.int64(7), "dtype": np.dtype("float32"),
        "set": {1, 2, 3}, "frozenset": frozenset({"a"}), "tuple": (1, "two", 3.0), "named": Point(1.0, 2.0),
        "empty": [[], (), {}, set(), b"", "", np.empty((0, 3))],
        "frames": np.random.default_rng(0).random((2, 8, 4, 8, 8, 3), dtype="f4"),
        "nested": {"deeper": [{"array": np.arange(10)}, {"array": np.arange(6).reshape(2, 3)}]},
    }  # fmt: skip
    assert same(trip(value), value)
