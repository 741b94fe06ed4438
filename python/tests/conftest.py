"""What the tests share: nothing may be left behind."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.context import BaseContext

import pytest

METHODS = ["fork", "spawn", "forkserver"]


def shared_memory() -> set[str]:
    return set(os.listdir("/dev/shm"))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test leaves anything in /dev/shm."""
    before = {name for name in shared_memory() if "ringmail" in name or name.startswith("sem.")}
    yield
    after = {name for name in shared_memory() if "ringmail" in name or name.startswith("sem.")}
    assert after <= before


@pytest.fixture(params=METHODS)
def context(request: pytest.FixtureRequest) -> BaseContext:
    """Each way to start a process."""
    return multiprocessing.get_context(request.param)
