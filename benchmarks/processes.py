"""What the processes of an arm use: CPU, memory, and what of their files the system holds."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path

COLD = 0.05
"""The largest share of some files that may still be in memory where they count as cold."""


def children(of: int | str = "self") -> list[int]:
    """The processes that a process has begun and that still run, and theirs."""
    found: list[int] = []
    for path in Path(f"/proc/{of}/task").glob("*/children"):
        for pid in map(int, _read(path).split()):
            found += [pid, *children(pid)]
    return found


def cpu_seconds() -> float:
    """Seconds of CPU of this process, and of those that it began."""
    ended = os.times()
    ticks = 0
    for pid in children():
        fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12]) if fields else 0
    return (
        time.process_time() + ended.children_user + ended.children_system + ticks / os.sysconf("SC_CLK_TCK")
    )


def status(field: str, of: str = "self/status") -> int:
    """A field of a process's status, in kB; 0 where there is none."""
    lines = _read(Path("/proc", of)).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def pss_mb(of: int) -> float:
    """The memory of a process and of those that it began: what several share is divided among them."""
    return sum(status("Pss:", f"{pid}/smaps_rollup") for pid in [of, *children(of)]) / 1024


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""


def forget(paths: Iterable[Path]) -> float:
    """Have the system drop these files from memory, which needs no special rights.

    Returns:
        The share of them that it kept: pages that a process has mapped stay, and so do those of a file system that
        lies in memory.
    """
    kept = total = 0
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())  # pages that are not written yet stay
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            pages, there = _resident(file.fileno())
        total += pages
        kept += there
    return kept / max(1, total)


def _resident(descriptor: int) -> tuple[int, int]:
    """How many pages a file has, and how many of them are in memory."""
    size = os.fstat(descriptor).st_size
    if not size:
        return 0, 0
    pages = -(-size // mmap.PAGESIZE)
    # a private map that can be written, only because ctypes wants a buffer like that; nothing is touched
    with mmap.mmap(descriptor, size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        flags = (ctypes.c_ubyte * pages)()
        failed = ctypes.CDLL(None).mincore(
            ctypes.c_void_p(ctypes.addressof(first)), ctypes.c_size_t(size), flags
        )
        del first
    return pages, pages if failed else sum(flag & 1 for flag in flags)
