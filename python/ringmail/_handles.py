"""How handles travel to other processes, and how a process leaves in order when it ends.

A handle is pickled as the file descriptor of its ring, duplicated the way ``multiprocessing`` does it: straight into a child that
is being started, or, through a queue, a pipe or a pool, over a socket that the sending process serves until somebody fetched it.
"""

from __future__ import annotations

import os
import sys
import weakref
from multiprocessing import context, reduction, util
from typing import Any, Protocol


class _Leaving(Protocol):
    def close(self) -> None:
        """Leaves the ring in order."""

    def _abandon(self) -> None:
        """Has the ring see a death."""


#: The handles of this process that have something to leave.
_open: weakref.WeakSet[Any] = weakref.WeakSet()
_watching: int | None = None


def _leave_all() -> None:
    """Leaves in order, unless this process ends by an error: then the others are to be told, as of a death."""
    failing = sys.exc_info()[0]
    if failing is None and not hasattr(sys, "ps1"):
        failing = getattr(sys, "last_type", None)
    in_order = failing is None or _is_clean(failing)
    for handle in list(_open):
        if in_order:
            handle.close()
        else:
            handle._abandon()


def _is_clean(failing: type[BaseException]) -> bool:
    if not issubclass(failing, SystemExit):
        return False
    error = sys.exc_info()[1]
    return error is None or getattr(error, "code", None) in (None, 0)


def watch(handle: _Leaving) -> None:
    """Has this process leave the handle's ring in order when it ends; also in a child that is forked."""
    _open.add(handle)
    _begin()


def _begin() -> None:
    global _watching
    if _watching != os.getpid():
        _watching = os.getpid()
        # Last of all: others may still put something while they end.
        util.Finalize(None, _leave_all, exitpriority=-100)


def _after_fork(_: object) -> None:
    # Told in children that are spawned as well, after they were given their handles.
    global _watching
    _watching = None
    _begin()


class _Anchor:
    """Something that lives as long as the module, to be told of forks."""


_anchor = _Anchor()
# A forked child of ``multiprocessing`` forgets its parent's finalizers; this gives it its own.
util.register_after_fork(_anchor, _after_fork)


def duplicate(fd: int) -> Any:
    """A file descriptor in a form that can be pickled, once."""
    child = context.get_spawning_popen()
    if child is not None:
        # Two handles of one ring have one descriptor, and a child that is being started takes none twice.
        fd = os.dup(fd)
        weakref.finalize(child, os.close, fd)
    return reduction.DupFd(fd)


def detach(duplicated: Any) -> int:
    """The descriptor in this process; it is the caller's to close."""
    fd = duplicated.detach()
    assert isinstance(fd, int)
    return fd
