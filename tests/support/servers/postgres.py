"""A PostgreSQL server, with a fresh database for each test that asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.support.programs import program
from tests.support.servers.server import Server, free_port, new_folder

PROGRAMS = tuple(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",  # the machine does not lose power during a test
    "max_connections": "200",
    "shared_buffers": "32MB",
}


@dataclass
class Postgres:
    """The server, and how to get into it."""

    server: Server
    port: int

    def new_database(self, template: str = "template1") -> str:
        """The SQLAlchemy URL of a new database, a copy of ``template`` (empty)."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return f"postgresql+psycopg://omnireel@127.0.0.1:{self.port}/{name}"

    def cut_connections(self) -> int:
        """End every client's connection, as a fail-over does; returns how many there were."""
        sql = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return int(self.execute(sql))

    def execute(self, sql: str) -> int:
        """Run one statement outside of a transaction; its first number, or 0."""
        with psycopg.connect(_dsn(self.port), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            row = cursor.fetchone() if cursor.description else None
            return int(row[0]) if row else 0


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server until the block ends. It refuses to run as root, so root lends it a user."""
    folder, port = new_folder("postgres"), free_port()
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user, user)
    data = folder / "data"
    initdb = [program("initdb", folders=PROGRAMS), "-D", str(data), "-U", "omnireel", "-A", "trust"]
    subprocess.run(
        [*initdb, "--no-sync", "-E", "UTF8", "--no-locale"],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )
    given = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
    command = [
        program("postgres", folders=PROGRAMS),
        "-D",
        str(data),
        "-p",
        str(port),
        "-k",
        str(folder),
    ]
    server = Server(
        f"postgresql+psycopg://omnireel@127.0.0.1:{port}/postgres",
        [*command, *given],
        lambda: _answers(port),
        folder,
        user,
    )
    try:
        server.start()
        yield Postgres(server, port)
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _dsn(port: int) -> str:
    return f"host=127.0.0.1 port={port} user=omnireel dbname=postgres connect_timeout=5"


def _answers(port: int) -> bool:
    try:
        psycopg.connect(_dsn(port)).close()
    except psycopg.OperationalError:
        return False
    return True
