"""A Redis server that keeps nothing on disk: killing it loses every message."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.programs import program
from tests.support.servers.server import Server, accepts, free_port, new_folder


@contextmanager
def running_redis() -> Iterator[Server]:
    """A server until the block ends."""
    folder, port = new_folder("redis"), free_port()
    command = [program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    server = Server(
        f"redis://127.0.0.1:{port}/0",
        [*command, "--save", "", "--appendonly", "no", "--dir", str(folder)],
        lambda: accepts(port),
        folder,
    )
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
