"""``omnireel train reproduce``: run again what a card says."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.launch.recipe import STOPPED_EARLY
from omnireel.cli.printing import out


def reproduce(
    name: Annotated[str, typer.Argument(help="Shipped component, or a component folder.")],
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for all stages; default: runs/reproduce/NAME."),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            help="Device (cpu or cuda) for every stage; stages trained on another device take the "
            "number of steps in the card instead of its minutes. Default: as in the card."
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the chain of commands.")
    ] = False,
) -> None:
    """Train a component again by the commands in its card, stage by stage; run again to go on.

    Example: omnireel train reproduce generator --dry-run
    """
    from omnireel.errors import FailedPrecondition
    from omnireel.recipes.reproduce import component_of, reproduction
    from omnireel.train.checkpoint import latest_checkpoint

    component = component_of(name)
    root = folder or Path("runs/reproduce") / component.resolve().name
    plan = reproduction(component, root, device=device)
    for line in plan.notes:
        out().print(f"note: {line}", markup=False)
    if plan.obstacles and not dry_run:
        raise FailedPrecondition("; ".join(plan.obstacles))
    for step in plan.steps:
        if step.recorded:
            out().print(f"card: {step.recorded}", markup=False)
        command = shlex.join(["omnireel", *step.arguments])
        out().print(f"{'done' if step.is_done else 'runs'}: {command}", markup=False)
        if dry_run or step.is_done:
            continue
        arguments = list(step.arguments)
        if step.run is not None:
            if latest_checkpoint(step.run) is not None:
                arguments = _resumed(arguments)
            if "--continue" not in arguments:  # a run that was stopped is told from one at its end
                arguments.append("--continue")
        status = run_to_end([sys.executable, "-m", "omnireel.cli.main", *arguments])
        if status:
            how = "was stopped" if status == STOPPED_EARLY else f"ended with status {status}"
            raise FailedPrecondition(f"{command} {how}; run this again to resume from there")
        if step.run is not None:
            step.done.touch()
    for line in plan.obstacles:
        out().print(f"cannot run here: {line}", markup=False)
    if not dry_run:
        out().print(str(plan.steps[-1].component))


def run_to_end(command: Sequence[str]) -> int:
    """Exit status of a command. Ctrl-C, which it hears as well, and SIGTERM, which is passed on,
    wait for the checkpoint that it then writes."""
    process = subprocess.Popen(command)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _resumed(arguments: list[str]) -> list[str]:
    """The same command as one that goes on."""
    if "--init-from" in arguments:
        at = arguments.index("--init-from")
        arguments = arguments[:at] + arguments[at + 2 :]
    return arguments if "--resume" in arguments else [*arguments, "--resume"]
