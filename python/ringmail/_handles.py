"""How handles travel to other processes, and how a process leaves in order when it ends.

A handle is pickled as the file descriptor of its ring, duplicated the way ``multiprocessing`` does it: straight into a child that
is being started, or, through a queue, a pipe or a pool, over a socket that the sending process serves until somebody fetched it.

A child takes part from its start on in what it was given: in the handles among the arguments of its ``Process``, or of its pool's
initialiser. So its death counts before it has used any. Whatever else comes to it, by a fork or through a queue, may be there to be
passed on, and counts from its first use.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterator
from functools import partial
from itertools import islice
from multiprocessing import context, process, reduction, util
from types import MethodType, ModuleType
from typing import Any, Protocol

from ._native import Handle


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
    # Told in children of the fork server as well, after they were given their handles; not in those that are spawned.
    global _watching
    _watching = None
    _begin()
    _first.clear()
    _whole.clear()
    for handle in _given(vars(process.current_process())):
        _arrive(handle)


#: The first handle of each ring that this process was given, by the ring's file; and the rings of which it has both ends.
_first: weakref.WeakValueDictionary[tuple[int, int], Any] = weakref.WeakValueDictionary()
_whole: set[tuple[int, int]] = set()


def _arrive(handle: Any) -> None:
    """Has a handle take part before it is used; but not both ends of a ring: a receiver would wait for the end of its own stream."""
    file = os.fstat(handle.fileno())
    ring = (file.st_dev, file.st_ino)
    first = _first.setdefault(ring, handle)
    if type(first) is not type(handle):
        _whole.add(ring)
        first._withdraw()
    if ring in _whole:
        return
    try:
        handle._arrive()
    except OSError:
        # It cannot take part, which is for whoever uses it to be told.
        pass


def rebuilt(handle: Any) -> None:
    """Has a handle that was made of a pickle take part, if this process is just being given its arguments."""
    # Says ``multiprocessing`` of a child that is not forked, while it reads them.
    if getattr(process.current_process(), "_inheriting", False):
        _arrive(handle)


#: How many objects among a child's arguments are looked at for handles: as many as take a millisecond or so.
_LOOKS = 5000


def _given(everything: dict[str, Any]) -> Iterator[Any]:
    """The handles in what a child was given: in containers, attributes and the objects that methods belong to."""
    found: list[Any] = [everything]
    # Keeps them, so that no address is another's.
    seen: dict[int, Any] = {}
    while found and len(seen) < _LOOKS:
        one = found.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, Handle):
            yield one
        elif type(one) is dict:
            found += islice(one.values(), _LOOKS)
        elif type(one) in (list, tuple, set, frozenset):
            found += islice(one, _LOOKS)
        elif type(one) is MethodType:
            found.append(one.__self__)
        elif type(one) is partial:
            found += (one.func, one.args, one.keywords)
        elif not isinstance(one, (type, ModuleType)) and type(getattr(one, "__dict__", None)) is dict:
            found.append(one.__dict__)


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
