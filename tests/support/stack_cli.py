"""``up`` and ``down`` like the command line's, but the stack has test engines.

The demo takes it instead of ``python -m omnireel.cli.main``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.printing import exit_code, report
from omnireel.errors import OmnireelError
from services.common.stack.down import stop_stack
from services.common.stack.up import start_stack
from tests.support.stack import stack_config

COMMAND = (sys.executable, "-m", "tests.support.stack_cli")

app = typer.Typer()


@app.command()
def up(home: Annotated[Path, typer.Option()], port: int = 0, http_port: int = 0) -> None:
    start_stack(stack_config(home.resolve(), port=port, http_port=http_port), print)


@app.command()
def down(home: Annotated[Path, typer.Option()]) -> None:
    stop_stack(home.resolve(), print)


if __name__ == "__main__":
    try:
        app(standalone_mode=False)
    except (OmnireelError, KeyboardInterrupt) as error:  # as the real command line does
        report(error)
        sys.exit(exit_code(error))
