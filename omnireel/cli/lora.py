"""``omnireel train lora``: teach the generator a look from a folder of clips."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.data import problems_as_lines, say_ignored
from omnireel.cli.run_output import data_report, run_callbacks
from omnireel.shipped import SHIPPED_TEACHER, SHIPPED_TINY


def lora(
    data: Annotated[
        Path, typer.Option(help="Folder of clips or images with captions, or of training shards.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Run folder; default: runs/lora-<name of the data>.")
    ] = None,
    cache: Annotated[Path, typer.Option(help="Folder for encoded data, shared by all runs.")] = (
        Path("runs/cache")
    ),
    init_from: Annotated[
        Path | None,
        typer.Option(help="Component folder of the generator to adapt; default: the shipped one."),
    ] = None,
    vae: Annotated[
        Path | None,
        typer.Option(help="Its autoencoder; default: the one beside it, else the shipped one."),
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Time limit in minutes; the learning rate decays to fit.")
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", help="field=value, e.g. lora.rank=32 or trainer.num_steps=90"),
    ] = None,
    mlflow: Annotated[
        str, typer.Option(help="MLflow tracking address; 'off' logs only metrics.jsonl.")
    ] = "sqlite:///runs/mlflow.db",
) -> None:
    """Train an adapter on your clips; the same command goes on after an interruption.

    Captions lie beside the files (clip.mp4, clip.txt) or in captions.csv or captions.jsonl with
    the columns file and caption. The result is OUT/adapter.

    Example: omnireel train lora --data my_clips, then omnireel up --adapter
    runs/lora-my_clips/adapter
    """
    from omnireel.recipes.adapt import AdaptRequest, adapt

    base = init_from or SHIPPED_TEACHER
    if vae is None:
        vae = base.parent / "vae" if (base.parent / "vae").is_dir() else SHIPPED_TINY / "vae"
    overrides = [f"base={base}", f"vae={vae}"]
    if max_minutes is not None:
        overrides.append(f"trainer.max_minutes={max_minutes}")
    overrides += assign or []
    request = AdaptRequest(
        data=data,
        out=out or Path("runs") / f"lora-{data.resolve().name}",
        cache=cache,
        overrides=tuple(overrides),
        command=shlex.join(["omnireel", *sys.argv[1:]]),
    )
    with problems_as_lines():
        done = adapt(request, run_callbacks(mlflow, request.out), data_report())
    say_ignored(done.ignored)
    typer.echo(
        f"{request.out}: step {done.result.step}, {done.result.elapsed_s / 60:.1f} min, "
        f"{done.result.num_samples} samples"
    )
    if done.adapter is None:
        typer.echo("stopped early; the same command goes on")
    else:
        typer.echo(f"adapter: {done.adapter}")
