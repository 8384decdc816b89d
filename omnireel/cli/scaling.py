"""``omnireel train scaling``: what more parameters and more compute are worth."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnireel.cli.run_output import data_report, run_callbacks

if TYPE_CHECKING:
    from omnireel.recipes.scaling import ScalingPoint


def scaling(
    out: Annotated[Path, typer.Option(help="Folder of the study; rerun to resume.")] = Path(
        "runs/scaling"
    ),
    cache: Annotated[
        Path, typer.Option(help="Folder for rendered and encoded data, shared by all runs.")
    ] = Path("runs/cache"),
    smoke: Annotated[
        bool, typer.Option(help="Run a few steps, to smoke-test the pipeline.")
    ] = False,
    mlflow: Annotated[
        str, typer.Option(help="MLflow tracking address; 'off' logs only metrics.jsonl.")
    ] = "sqlite:///runs/mlflow.db",
) -> None:
    """Train the generator from random weights at three sizes, and draw loss and score by compute.

    Every size gets about the same compute. One core needs about an hour and a half, of which 20
    minutes are evaluation.

    Example: omnireel train scaling --smoke --out runs/scaling-smoke
    """
    from omnireel.recipes.scaling import SMOKE_STUDY, ScalingStudy, run_study
    from omnireel.recipes.scaling_figure import draw

    points = run_study(
        SMOKE_STUDY if smoke else ScalingStudy(),
        out,
        cache,
        lambda run: run_callbacks(mlflow, run, name=f"scaling-{run.parent.name}"),
        data_report(),
        command=shlex.join(["omnireel", *sys.argv[1:]]),
        on_point=_show,
    )
    law = draw(points, out / "scaling.png")
    typer.echo(f"loss falls with compute to the power of {-law.exponent:.3f}: {out}/scaling.png")


def _show(point: ScalingPoint) -> None:
    typer.echo(
        f"{point.size}: {point.parameters:,} parameters, {point.samples:,} samples, "
        f"{point.flops:.2e} operations: held-out loss {point.held_out_loss:.4f}, score "
        f"{point.score.shown('.3f')}"
    )
