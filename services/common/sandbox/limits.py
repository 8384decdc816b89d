"""What a decoding process may use. It asks for less of itself before it sees a stranger's byte."""

from __future__ import annotations

import os
import resource
from pathlib import Path

NUM_DESCRIPTORS = 64
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def limit_process(*, memory_bytes: int, output_bytes: int) -> None:
    """Bound this process for good.

    ``memory_bytes`` is address space beyond what it has now; ``output_bytes`` is the largest file
    that it can write. No core is left behind: it would hold the user's media.
    """
    _lower(resource.RLIMIT_AS, _address_space_bytes() + memory_bytes)
    _lower(resource.RLIMIT_FSIZE, output_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, NUM_DESCRIPTORS)


def limit_cpu(seconds: float) -> None:
    """Let the kernel end this process when it computes for ``seconds`` from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _address_space_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_BYTES
