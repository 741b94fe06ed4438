"""What the figures were taken on, and who else was at work meanwhile."""

from __future__ import annotations

import collections
import os
import pathlib
import platform
import subprocess
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


def commit() -> str:
    """The commit that is measured, as far as that can be told."""
    root = pathlib.Path(__file__).resolve().parents[3]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    name = git("rev-parse", "--short=10", "HEAD")
    if name is None:
        return "of no known commit"
    # What is written here does not make it another one.
    return f"commit {name}" + (", changed" if git("status", "--porcelain", "--", ".", ":!docs/python") else "")


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
        """Theirs, as a part of one core."""
        passed = time.monotonic() - self.since
        others = (_busy() - self.busy) - (_own() - self.own)
        return max(others, 0.0) / passed if passed > 0 else 0.0


def _busy() -> float:
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _wait, irq, soft, *_ = map(int, stat.readline().split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """This process, all that descend from it, and whom they waited for."""
    times = os.times()
    ticks, children = {}, collections.defaultdict(list)
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as stat:
                # After the name, which may be anything: parent, processor time, and that of children that are no more.
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            # It has ended since.
            continue
        ticks[int(process)] = sum(map(int, fields[11:15]))
        children[int(fields[1])].append(int(process))
    descendants = list(children[os.getpid()])
    for process_id in descendants:
        descendants += children[process_id]
    own = times.user + times.system + times.children_user + times.children_system
    return own + sum(ticks[process_id] for process_id in descendants) / os.sysconf("SC_CLK_TCK")
