"""A RabbitMQ node of its own: own name, cookie, folders and port mapper."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import program
from tests.support.servers.server import Server, accepts, free_port, new_folder

PROGRAMS = Path("/usr/lib/rabbitmq/bin")  # the script in /usr/sbin insists on the system's user
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"


@contextmanager
def running_rabbitmq() -> Iterator[Server]:
    """A node until the block ends."""
    folder = new_folder("rabbitmq")
    port, mapper = free_port(), free_port()
    config = folder / "rabbitmq.conf"
    config.write_text(
        f"listeners.tcp.default = 127.0.0.1:{port}\n"
        "vm_memory_high_watermark.absolute = 512MiB\n"
        "disk_free_limit.absolute = 10MB\n"
    )
    (folder / "plugins").write_text("[].\n")
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"omnireel{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "no-such-file"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        # It spins waiting threads for speed; beside tests that only takes their processor.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none +S 1:1",
    }
    server = Server(
        f"amqp://guest:guest@127.0.0.1:{port}//",
        [program("rabbitmq-server", folders=(PROGRAMS,))],
        lambda: _speaks_amqp(port),
        folder,
        environment=environment,
    )
    # Left to itself the node starts its port mapper as a daemon, which would stay.
    epmd = [program("epmd"), "-port", str(mapper), "-address", "127.0.0.1"]
    names = Server("", epmd, lambda: accepts(mapper), folder)
    try:
        names.start()
        server.start()
        yield server
    finally:
        server.kill()
        names.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _speaks_amqp(port: int) -> bool:
    """Whether it answers the protocol's header; it listens before it is ready for more."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            probe.sendall(AMQP_HEADER)
            return bool(probe.recv(8))
    except OSError:
        return False
