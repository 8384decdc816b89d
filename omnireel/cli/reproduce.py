"""``omnireel train reproduce``: run again what a card says."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.printing import out


def reproduce(
    name: Annotated[str, typer.Argument(help="Shipped component, or a component folder.")],
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for all stages; runs/reproduce/NAME.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the chain of commands only.")
    ] = False,
) -> None:
    """Train a component again by the commands in its card, stage by stage; run again to go on.

    Example: omnireel train reproduce vae --dry-run
    """
    from omnireel.errors import FailedPrecondition
    from omnireel.recipes.reproduce import component_of, limits_of, reproduction
    from omnireel.registry import verify
    from omnireel.train.checkpoint import latest_checkpoint

    component = component_of(name)
    root = folder or Path("runs/reproduce") / component.name
    steps = reproduction(component, root)
    for line in limits_of(verify(component)):
        out().print(f"note: {line}")
    for step in steps:
        if step.recorded:
            out().print(f"card: {step.recorded}", markup=False)
        command = ["omnireel", *step.arguments]
        state = "done" if step.done.exists() else "runs"
        out().print(f"{state}: {shlex.join(command)}", markup=False)
        if dry_run or step.done.exists():
            continue
        arguments = list(step.arguments)
        if step.recorded and latest_checkpoint(step.done.parent) is not None:
            arguments = _resumed(arguments)
        done = subprocess.run([sys.executable, "-m", "omnireel.cli.main", *arguments], check=False)
        if done.returncode:
            raise FailedPrecondition(
                f"{shlex.join(command)} ended with status {done.returncode}; run this again to go "
                "on from there"
            )
        if step.recorded:
            step.done.touch()
    if not dry_run:
        out().print(str(steps[-1].done.parent))


def _resumed(arguments: list[str]) -> list[str]:
    """The same command as one that goes on."""
    if "--init-from" in arguments:
        at = arguments.index("--init-from")
        arguments = arguments[:at] + arguments[at + 2 :]
    return arguments if "--resume" in arguments else [*arguments, "--resume"]
