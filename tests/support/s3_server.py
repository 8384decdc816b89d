"""A real S3 server for tests: versitygw, built once from its Go module and kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import program

MODULE = Path(__file__).parent / "versitygw"
CACHE = Path.home() / ".cache" / "omnireel" / "bin"
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
START_TIMEOUT_S = 30


@dataclass(frozen=True)
class S3Server:
    """Where it listens (``http://127.0.0.1:port``), its root credentials, its process."""

    endpoint: str
    access_key: str
    secret_key: str
    process: subprocess.Popen[bytes]


def go_toolchain() -> str:
    """The path of ``go``, which builds the server.

    Raises:
        MissingProgram: there is none.

    """
    return program("go")


def build(go: str) -> Path:
    """The server's binary, built if the cache lacks one for this go.sum."""
    digest = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:16]
    binary = CACHE / f"versitygw-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "versitygw.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test processes build it once
        if not binary.exists():
            partial = binary.with_suffix(".partial")
            command = [go, "build", "-trimpath", "-mod=readonly", "-o", str(partial), PACKAGE]
            subprocess.run(command, cwd=MODULE, check=True, env={**os.environ, "CGO_ENABLED": "0"})
            partial.rename(binary)
    return binary


@contextmanager
def running_s3_server(binary: Path, folder: Path) -> Iterator[S3Server]:
    """A server over ``folder`` on a free loopback port, until the block ends."""
    port = _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    access_key, secret_key = "omnireel-test", "omnireel-test-secret"
    data, log = folder / "data", folder / "server.log"
    data.mkdir()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                str(binary),
                "--port",
                f"127.0.0.1:{port}",
                "--health",
                "/healthz",
                "posix",
                str(data),
            ],
            env={**os.environ, "ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_healthy(f"{endpoint}/healthz", process, log)
        yield S3Server(endpoint, access_key, secret_key, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the S3 server ended at once:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the S3 server did not start in {START_TIMEOUT_S} s:\n{log.read_text()}")
