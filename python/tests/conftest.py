"""What the tests share: nothing may be left behind."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.context import BaseContext

import pytest

METHODS = ["fork", "spawn", "forkserver"]


def shared_memory() -> set[str]:
    """The names that could be this package's; ``ringmail.test-`` is how the Rust tests call theirs."""
    names = os.listdir("/dev/shm")
    return {name for name in names if name.startswith("sem.") or ("ringmail" in name and "ringmail.test-" not in name)}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test leaves anything in /dev/shm.

    What other programs on the machine make there meanwhile, they take away in a moment (``multiprocessing`` unlinks a semaphore once it is made).
    """
    before = shared_memory()
    yield
    left, end = shared_memory() - before, time.monotonic() + 10
    while left and time.monotonic() < end:
        time.sleep(0.02)
        left &= shared_memory()
    assert not left


@pytest.fixture(params=METHODS)
def context(request: pytest.FixtureRequest) -> BaseContext:
    """Each way to start a process."""
    return multiprocessing.get_context(request.param)
