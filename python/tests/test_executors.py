"""Handles in pools: given to every worker by its initializer, or to one task as an argument."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
import pytest

import ringmail

_inbox: Any = None
_outbox: Any = None


def initialize(inbox: Any, outbox: Any) -> None:
    global _inbox, _outbox
    _inbox, _outbox = inbox, outbox


def double(number: int) -> int:
    """Takes an array, whichever is next, in place, and sends twice of it on."""
    with _inbox.recv(timeout=30) as message:
        _outbox.put(message.array() * 2)
    return number


def exchange(put: Any, got: Any, tasks: Any) -> None:
    for number in range(12):
        put(np.full(2000, number))
    assert sorted(tasks(12)) == list(range(12))
    assert sorted(int(got(timeout=30)[0]) for _ in range(12)) == [2 * number for number in range(12)]


@pytest.mark.parametrize("kind", ["queues", "pairs"])
@pytest.mark.parametrize("pool", ["Pool", "ProcessPoolExecutor"])
def test_an_initializer_is_given_handles(kind: str, pool: str, context: BaseContext) -> None:
    if kind == "queues":
        there: Any = ringmail.Queue(16)
        back: Any = ringmail.Queue(16)
        given, put, got = (there, back), there.put, back.get
    else:
        (sender, inbox), (outbox, receiver) = ringmail.pair(16), ringmail.pair(16)
        given, put, got = (inbox, outbox), sender.put, receiver.get
    if pool == "Pool":
        with context.Pool(2, initialize, given) as workers:
            exchange(put, got, lambda count: workers.map(double, range(count)))
    else:
        with ProcessPoolExecutor(2, context, initializer=initialize, initargs=given) as executor:
            exchange(put, got, lambda count: executor.map(double, range(count)))


def send(outbox: Any, number: int) -> int:
    outbox.put((number, os.getpid()))
    return number


@pytest.mark.parametrize("pool", ["Pool", "ProcessPoolExecutor"])
def test_a_task_is_given_handles(pool: str, context: BaseContext) -> None:
    """Fetched from this process over a socket, by a worker that has long been running."""
    queue: ringmail.Queue[tuple[int, int]] = ringmail.Queue(16)
    sender, receiver = ringmail.pair(16)
    if pool == "Pool":
        with context.Pool(2) as workers:
            assert workers.starmap(send, [(queue, 1), (sender, 2), (queue, 3)]) == [1, 2, 3]
    else:
        with ProcessPoolExecutor(2, context) as executor:
            assert list(executor.map(send, (queue, sender, queue), (1, 2, 3))) == [1, 2, 3]
    got = [queue.get(timeout=30), queue.get(timeout=30), receiver.get(timeout=30)]
    assert sorted(number for number, _ in got) == [1, 2, 3] and all(pid != os.getpid() for _, pid in got)
