"""The processes that are measured, and what the machine says about them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

START_S = 180.0


@contextmanager
def process(
    log: Path, *module: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m module...`` for the length of the block."""
    with log.open("wb") as stderr:
        running = subprocess.Popen(
            [sys.executable, "-m", *module],
            stdout=stderr,
            stderr=stderr,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait(START_S)


def appears(path: Path) -> str:
    """The text of a file, once it is there."""
    until = time.monotonic() + START_S
    while not path.exists() or not (text := path.read_text().strip()):
        assert time.monotonic() < until, f"{path} does not appear"
        time.sleep(0.02)
    return text


def resident_mib(pid: int) -> float:
    """Resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_s(pid: int) -> float:
    """Processor seconds used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
