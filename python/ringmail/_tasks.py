"""Waiting in an event loop: what ``aget``, ``aget_many``, ``aput``, ``aloan``, ``arecv`` and ``async for`` are.

A call that has to wait enters itself with the one thread of the process that sleeps for all of them (``ringmail::Waiting``), and is
resumed through the `Bell` of its loop: a descriptor that the loop watches from its first such call on. Nothing is taken from a ring but in
the call's own step, in which it returns it: so a call that is cancelled, or whose loop is closed, loses nothing.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from queue import Empty, Full
from typing import Any, Protocol, TypeVar

from ._native import Bell, Disconnected, Loan, Message, Turn

_R = TypeVar("_R")


class _Puts(Protocol):
    def put_nowait(self, value: Any, /) -> None: ...
    def loan(self, shape: Any, dtype: Any, block: bool = ...) -> Loan: ...
    def _poll_put(self, value: Any, turn: Turn, /) -> bool: ...
    def _poll_loan(self, shape: Any, dtype: Any, turn: Turn, /) -> Loan | None: ...


class _Gets(Protocol):
    def get_nowait(self) -> Any: ...
    def get_many(self, max: int, block: bool = ...) -> list[Any]: ...
    def recv(self, block: bool = ...) -> Message: ...
    def _poll_get(self, turn: Turn, /) -> Any: ...
    def _poll_get_many(self, max: int, turn: Turn, /) -> list[Any] | None: ...
    def _poll_recv(self, turn: Turn, /) -> Message | None: ...


class _Tower:
    """The bell of one event loop, and who waits for it to ring."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.bell = Bell()
        self.waiting: dict[int, asyncio.Future[None]] = {}
        loop.add_reader(self.bell.fileno(), self._ring)

    def _ring(self) -> None:
        for number in self.bell.answer():
            _resume(self.waiting.pop(number, None))


def _resume(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


#: The loop keeps its tower, and with it who waits, for as long as it is open; nobody else does.
_towers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[_Tower]] = weakref.WeakKeyDictionary()


def _tower_of(loop: asyncio.AbstractEventLoop) -> _Tower | None:
    known = _towers.get(loop)
    return None if known is None else known()


async def _at_once(
    call: Callable[[], _R], poll: Callable[[Turn], _R | None], timeout: float | None, late: type[Exception]
) -> _R:
    """What ``call`` returns, if it need not wait; else waits for something of ``poll``."""
    try:
        return call()
    except late:
        if timeout is not None and not timeout > 0:
            raise

    def found(turn: Turn) -> tuple[bool, _R | None]:
        result = poll(turn)
        return result is not None, result

    result = await _wait(found, timeout, late)
    assert result is not None
    return result


async def _wait(poll: Callable[[Turn], tuple[bool, _R]], timeout: float | None, late: type[Exception]) -> _R:
    """Polls until it is done: at once, whenever the bell rings for it, and when ``timeout`` seconds are over."""
    loop = asyncio.get_running_loop()
    tower = _tower_of(loop)
    if tower is None:
        tower = _Tower(loop)
        _towers[loop] = weakref.ref(tower)
    deadline = None if timeout is None else loop.time() + timeout
    turn = tower.bell.turn()
    timer: asyncio.TimerHandle | None = None
    try:
        while True:
            done, result = poll(turn)
            if done:
                return result
            if deadline is not None and loop.time() >= deadline:
                raise late
            tower.waiting[turn.number] = future = loop.create_future()
            if deadline is not None:
                timer = loop.call_at(deadline, _resume, future)
            await future
            if timer is not None:
                timer.cancel()
    finally:
        if timer is not None:
            timer.cancel()
        tower.waiting.pop(turn.number, None)
        turn.leave()


async def put(side: _Puts, value: Any, timeout: float | None) -> None:
    """Puts a value, as soon as there is room."""
    try:
        return side.put_nowait(value)
    except Full:
        if timeout is not None and not timeout > 0:
            raise
    await _wait(lambda turn: (side._poll_put(value, turn), None), timeout, Full)


async def get(side: _Gets, timeout: float | None = None) -> Any:
    """The next value, as soon as there is one."""
    try:
        return side.get_nowait()
    except Empty:
        if timeout is not None and not timeout > 0:
            raise

    def poll(turn: Turn) -> tuple[bool, Any]:
        value = side._poll_get(turn)
        return value is not turn, value

    return await _wait(poll, timeout, Empty)


async def get_many(side: _Gets, max: int, timeout: float | None) -> list[Any]:
    """Up to ``max`` values, as soon as there is one."""
    return await _at_once(
        lambda: side.get_many(max, block=False), lambda turn: side._poll_get_many(max, turn), timeout, Empty
    )


async def loan(side: _Puts, shape: Any, dtype: Any, timeout: float | None) -> Loan:
    """A slot to be filled in place, as soon as one is free."""
    return await _at_once(
        lambda: side.loan(shape, dtype, block=False), lambda turn: side._poll_loan(shape, dtype, turn), timeout, Full
    )


async def recv(side: _Gets, timeout: float | None) -> Message:
    """The next message in place, as soon as there is one."""
    return await _at_once(lambda: side.recv(block=False), side._poll_recv, timeout, Empty)


async def next_until_end(side: _Gets) -> Any:
    """The next value of a loop that ends with the stream."""
    try:
        return await get(side)
    except Disconnected:
        raise StopAsyncIteration from None
