"""What the figures were taken on, and who else was at work meanwhile."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata

import numpy as np

SHM = "/dev/shm"


def line() -> str:
    """The machine, in one line."""
    with open("/proc/cpuinfo") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, {memory} GiB, load {os.getloadavg()[0]:.1f}, "
        f"Linux {platform.release()}, Python {platform.python_version()}, NumPy {np.__version__}, ringmail {version('ringmail')}"
    )


def version(distribution: str) -> str:
    """The version of an installed package."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "of no known version"


def room() -> int:
    """Bytes that may be taken without hurting anybody: of memory, and of shared memory, which is some of it."""
    with open("/proc/meminfo") as info:
        free = next(int(line.split()[1]) for line in info if line.startswith("MemAvailable")) * 1024
    shared = os.statvfs(SHM)
    return min(free * 9 // 10, shared.f_bavail * shared.f_frsize)


def shared_memory() -> set[str]:
    """What is in /dev/shm."""
    return set(os.listdir(SHM))


def orphans(names: set[str]) -> set[str]:
    """Those of these files in /dev/shm that no living process has mapped: not somebody else's who is just at work."""
    used = set()
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/maps", errors="replace") as maps:
                used |= {line.split(SHM + "/", 1)[1].split()[0] for line in maps if SHM + "/" in line}
        except OSError:
            # It has ended, or is none of ours.
            continue
    return names - used


class Bystanders:
    """How much processor time others take, from its making on."""

    def __init__(self) -> None:
        self.busy, self.own, self.since = _busy(), _own(), time.monotonic()

    def share(self) -> float:
        """Theirs, as a part of one core. Children count as ours once they have been waited for."""
        passed = time.monotonic() - self.since
        others = (_busy() - self.busy) - (_own() - self.own)
        return max(others, 0.0) / passed if passed > 0 else 0.0


def _busy() -> float:
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _wait, irq, soft, *_ = map(int, stat.readline().split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
