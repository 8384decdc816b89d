"""Model services as processes of their own, for tests that send signals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_S = 120


@dataclass
class ServiceProcess:
    """One running service; what it says on standard error is in ``log``."""

    process: subprocess.Popen[bytes]
    address_file: Path
    log: Path

    def address(self) -> str:
        """``host:port``, as soon as it listens."""
        until = time.monotonic() + _START_S
        while not self.address_file.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"it does not listen:\n{self.said()}")
            time.sleep(0.02)
        return self.address_file.read_text().strip()

    def said(self) -> str:
        """Everything on standard error so far."""
        return self.log.read_text()

    def wait(self) -> int:
        """The exit status, once it has ended."""
        return self.process.wait(_START_S)


@contextmanager
def service_process(
    folder: Path, command: Sequence[str], env: dict[str, str]
) -> Iterator[ServiceProcess]:
    """Run ``python -m <command>``; it is killed at the end if it still lives.

    ``env`` names the service's prefix once, as ``{"PREFIX": "OMNIREEL_GENERATOR_", ...}``; the
    address and its file are added.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix = env.pop("PREFIX")
    address_file, log = folder / "address", folder / "log"
    full = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        f"{prefix}LISTEN": "127.0.0.1:0",
        f"{prefix}ADDRESS_FILE": str(address_file),
        f"{prefix}STORE_URL": f"file://{folder}/store",
        **env,
    }
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=stderr,
            stderr=stderr,
            env=full,
            cwd=Path(__file__).resolve().parents[3],
        )
        try:
            yield ServiceProcess(process, address_file, log)
        finally:
            process.kill()
            process.wait()
