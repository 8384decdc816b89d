"""The verbs ``omnireel up``, ``omnireel down`` and ``omnireel status``."""

from __future__ import annotations

import signal
import threading
import time
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from omnireel.errors import FailedPrecondition
from services.common.jobs.admin import url_of_the_environment
from services.common.stack.config import (
    DEFAULT_HTTP_PORT,
    DEFAULT_PORT,
    StackConfig,
    database_url,
    default_home,
    key_file,
)
from services.common.stack.down import stop_stack
from services.common.stack.probe import SERVING
from services.common.stack.status import look
from services.common.stack.supervisor import Supervisor, start_supervisor
from services.common.stack.up import log_tail, start_stack
from services.common.stack.weights import describe_parts
from services.common.stack.work import look_at_work, show_work

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of the stack. Default: $OMNIREEL_HOME, else ~/.omnireel."),
]


def up(
    size: Annotated[str, typer.Option(help="Size of the shipped models to serve.")] = "tiny",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Folder of your own components (generator, vae, upscaler, enhancer); shipped "
            "ones stand in for what it lacks."
        ),
    ] = None,
    home: Home = None,
    port: Annotated[int, typer.Option(help="Port of the gRPC API.")] = DEFAULT_PORT,
    http_port: Annotated[int, typer.Option(help="Port of the HTTP API.")] = DEFAULT_HTTP_PORT,
    workers: Annotated[int, typer.Option(help="Number of jobs that run at once.")] = 1,
    adapter: Annotated[
        Path | None, typer.Option(help="Component folder of an adapter (omnireel train lora).")
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in the foreground; Ctrl-C stops everything.")
    ] = False,
) -> None:
    """Start all services on this machine and wait until they serve.

    What dies or hangs afterwards is restarted, up to five times in ten minutes; `omnireel status`
    shows it.

    Example: omnireel up --port 7070
    """
    console = _console()
    config = StackConfig(
        home=_folder(home),
        port=port,
        http_port=http_port,
        size=size,
        own_weights=weights.resolve() if weights else None,
        workers=workers,
        adapter=adapter,
    )
    if config.own_weights is not None:
        console.print(describe_parts(config.own_weights, f"the shipped ones of size {size}"))
    state = start_stack(config, console.print)
    console.print(f"Omnireel is up: gateway at {state.gateway}, home in {config.home}")
    console.print(f"HTTP API at http://{state.http}, described at http://{state.http}/docs")
    console.print(f"Studio at http://{state.http}/studio; its key is in {key_file(config.home)}")
    if foreground:
        _stay(config, console)
    else:
        start_supervisor(config)


def down(home: Home = None) -> None:
    """Stop all services; running jobs resume at the next start.

    Example: omnireel down
    """
    console, folder = _console(), _folder(home)
    if not stop_stack(folder, console.print):
        console.print(f"nothing runs in {folder}")


def status(home: Home = None) -> None:
    """Show services, queue, running jobs and recent failures.

    Where no stack runs, and $OMNIREEL_GATEWAY_DATABASE_URL is set as in a gateway's container,
    it shows all but the services, from that database.

    Example: omnireel status
    """
    console, folder = _console(), _folder(home)
    found = look(folder)
    if found is None:
        url = url_of_the_environment() if home is None else None
        if url is None:
            raise FailedPrecondition(
                f"nothing runs in {folder}; start it with `omnireel up`, or set "
                "$OMNIREEL_GATEWAY_DATABASE_URL to look at services that run elsewhere",
                reason="NOT_RUNNING",
            )
        show_work(look_at_work(url), console)
        return
    table = Table("service", "health", "address", "pid", "memory", box=None, pad_edge=False)
    for process in found.processes:
        colour = "green" if process.health == SERVING else "red"
        table.add_row(
            process.name,
            Text(process.health, style=colour),
            process.address,
            str(process.pid),
            f"{process.memory / 2**20:.0f} MiB",
        )
    console.print(table)
    uptime = time.time() - found.state.started_at
    console.print(f"gateway {found.state.gateway}, HTTP http://{found.state.http}")
    console.print(f"omnireel {version('omnireel')}, size {found.state.size}, up {uptime:.0f} s")
    for line in found.state.restarts:
        console.print(Text(line, style="yellow"))
    show_work(look_at_work(database_url(folder)), console)
    for process in found.processes:
        if process.health != SERVING:
            console.print(f"{process.name}: {log_tail(Path(process.log))} (log: {process.log})")
    if not found.healthy:
        raise typer.Exit(1)


def _stay(config: StackConfig, console: Console) -> None:
    """Until a signal, or until a process was restarted too often."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    console.print("Ctrl-C stops it")
    try:
        supervisor = Supervisor(config, console.print)
        while not stop.wait(0.5) and supervisor.look():
            for name, what in supervisor.given_up.items():
                log = config.log_file(name)
                raise FailedPrecondition(f"{name} {what} too often: {log_tail(log)} (log: {log})")
    finally:
        stop_stack(config.home, console.print, config.grace_s)
        for number, handler in before.items():
            signal.signal(number, handler)


def _folder(home: Path | None) -> Path:
    return (home or default_home()).expanduser().resolve()


def _console() -> Console:
    # Logs, paths and names are printed as they are: brackets in them mean nothing.
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
