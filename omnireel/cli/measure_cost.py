"""``omnireel train measure-cost``: time a network's steps, for plans of packed batches."""

from __future__ import annotations

from typing import Annotated

import typer


def measure_cost(
    recipe: Annotated[str, typer.Argument(help="Recipe name.")],
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="field=value, e.g. trainer.device=cuda.")
    ] = None,
) -> None:
    """Measure what packed batches cost on this device; prints the setting for training.

    Example: omnireel train measure-cost generator-base
    """
    from omnireel.recipes.planning.measured_cost import measured_cost

    found = measured_cost(recipe, tuple(assign or ()))
    typer.echo(f"the fit misses no pack by more than {found.largest_error:.0%}", err=True)
    typer.echo(f"--set '{found.setting}'")
