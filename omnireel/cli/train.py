"""``omnireel train``: run recipes, list them, export what they made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli import ladder, preferences
from omnireel.cli.gate import rung_gate
from omnireel.cli.launch import verbs as jobs
from omnireel.cli.launch.recipe import (
    STOPPED_EARLY,
    Job,
    Launcher,
    RecipeRun,
    launch,
    launcher_of,
)
from omnireel.cli.lora import lora
from omnireel.cli.measure_cost import measure_cost
from omnireel.cli.parsing import several_settings
from omnireel.cli.reproduce import reproduce
from omnireel.cli.run_output import data_report
from omnireel.cli.scaling import scaling
from omnireel.recipes import RECIPES

app = typer.Typer(
    name="train",
    help="Train a model from a recipe.\n\nExample: omnireel train vae-tiny --max-minutes 60",
    no_args_is_help=True,
)

Cache = Annotated[
    Path, typer.Option(help="Folder for rendered and encoded data, shared by all runs.")
]


@app.command("list")
def list_recipes() -> None:
    """Show every recipe. Example: omnireel train list."""
    width = max(map(len, RECIPES))
    for name, entry in RECIPES.items():
        typer.echo(f"{name:<{width}}  {entry.summary}")


@app.command("show")
def show(recipe: Annotated[str, typer.Argument(help="Recipe name.")]) -> None:
    """Print every field of a recipe with its value. Example: omnireel train show vae-tiny."""
    from omnireel.recipes import build_recipe
    from omnireel.recipes.config import flatten

    for name, value in flatten(build_recipe(recipe)).items():
        typer.echo(f"{name} = {value}")


@app.command("export")
def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    out: Annotated[Path, typer.Argument(help="Component folder to write.")],
    cache: Cache = Path("runs/cache"),
    score: Annotated[
        list[str] | None, typer.Option(help="name=number to add to the card (repeatable).")
    ] = None,
    raw: Annotated[
        bool, typer.Option(help="Export the weights as trained, not their average.")
    ] = False,
) -> None:
    """Turn a run into a serving component. Example: omnireel train export runs/vae out/vae."""
    from omnireel.recipes.export import export_run

    typer.echo(
        export_run(run, out, cache=cache, report=data_report(), scores=_scores(score), raw=raw)
    )


@app.command("prepare")
def prepare(
    recipe: Annotated[str, typer.Argument(help="Recipe name.")],
    cache: Cache = Path("runs/cache"),
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="field=value, e.g. data.count=20000.")
    ] = None,
) -> None:
    """Build a recipe's data only. Example: omnireel train prepare generator-tiny."""
    from omnireel.recipes.run import RunRequest, prepare_data

    request = RunRequest(recipe, out=Path(), cache=cache, overrides=tuple(assign or ()))
    for name, folder in prepare_data(request, data_report()).items():
        typer.echo(f"{name}: {folder}")


@app.command("fetch")
def fetch(
    place: Annotated[str, typer.Argument(help="The --copy-to address of the run.")],
    run: Annotated[Path, typer.Argument(help="Run folder to create.")],
) -> None:
    """Bring a run back from the object store that its checkpoints were copied to.

    Example: omnireel train fetch "s3://models/runs/clips?endpoint=http://s3:9000" runs/clips
    """
    from omnireel.recipes.copies import fetch_run
    from omnireel.store import open_store

    typer.echo(f"{fetch_run(open_store(place), run)}; the command that trained goes on from there")


@app.command("plan")
def plan(
    recipe: Annotated[str, typer.Argument(help="Recipe name.")],
    gpus: Annotated[int, typer.Option(help="Number of devices.", min=1)] = 1,
    gpu: Annotated[str, typer.Option(help="Device: h100, h200, b200, or cpu for this machine.")] = (
        "h100"
    ),
    efficiency: Annotated[
        float, typer.Option(help="Fraction of peak FLOP/s that matrix products reach.")
    ] = 0.5,
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="field=value, e.g. model.depth=12.")
    ] = None,
) -> None:
    """Print parameters, memory, step time and MFU of every layout; nothing is allocated.

    Example: omnireel train plan generator-large --gpus 64 --gpu h200
    """
    from omnireel.recipes.planning.report import plan_report

    typer.echo(plan_report(recipe, tuple(assign or ()), gpu=gpu, gpus=gpus, efficiency=efficiency))


def _train_command(name: str) -> None:
    @app.command(name, help=f"Train: {RECIPES[name].summary}.\n\nExample: omnireel train {name}")
    def train(
        out: Annotated[
            Path | None, typer.Option(help="Run folder; default: runs/<recipe>.")
        ] = None,
        cache: Cache = Path("runs/cache"),
        resume: Annotated[bool, typer.Option(help="Resume from the last checkpoint.")] = False,
        go_on: Annotated[
            bool,
            typer.Option(
                "--continue",
                help="Resume if there is a checkpoint, else start; exit with "
                f"{STOPPED_EARLY} if stopped early. For jobs that get restarted.",
            ),
        ] = False,
        init_from: Annotated[
            Path | None, typer.Option(help="Start from the weights of this component folder.")
        ] = None,
        max_minutes: Annotated[
            float | None,
            typer.Option(help="Time limit in minutes; the learning rate decays to fit."),
        ] = None,
        assign: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                help="field=value, e.g. trainer.num_steps=500; repeatable, or several separated "
                "by spaces.",
            ),
        ] = None,
        mlflow: Annotated[
            str, typer.Option(help="MLflow tracking address; 'off' logs only metrics.jsonl.")
        ] = "sqlite:///runs/mlflow.db",
        ranks: Annotated[
            int,
            typer.Option(
                help="Number of processes on this machine that share the work, supervised and "
                "restarted when one fails; 0: only this process, or one that torchrun started."
            ),
        ] = 0,
        launcher: Launcher = "local",
        job: Job = None,
        run_name: Annotated[str, typer.Option(help="Name of the run in MLflow.")] = "",
        run_parent: Annotated[str, typer.Option(help="Parent run id in MLflow.")] = "",
        copy_to: Annotated[
            str,
            typer.Option(
                help="Object store prefix, used by this run only, to copy every checkpoint to: "
                "s3://bucket/runs/NAME?endpoint=...; 'omnireel train fetch' restores it."
            ),
        ] = "",
    ) -> None:
        overrides = list(several_settings(assign or ()))
        if max_minutes is not None:
            overrides.append(f"trainer.max_minutes={max_minutes}")
        run = RecipeRun(
            name, out or Path("runs") / name, cache, mlflow, init_from, overrides,
            run_name, run_parent, copy_to,
        )  # fmt: skip
        if launcher_of(launcher, job) == "trainjob":
            launch(run, job)
            return
        from omnireel.cli import training

        resume = training.resumes(run, resume=resume, go_on=go_on)
        if ranks:
            stopped = training.train_supervised(run, ranks, resume=resume)
        else:
            stopped = training.train_here(run, resume=resume, go_on=go_on)
        if stopped and go_on:
            raise typer.Exit(STOPPED_EARLY)


def _scores(assignments: list[str] | None) -> dict[str, float]:
    from omnireel.errors import InvalidInput

    scores = {}
    for text in assignments or []:
        name, _, value = text.partition("=")
        try:
            scores[name] = float(value)
        except ValueError as error:
            raise InvalidInput(f"--score takes name=number, not {text!r}", field="score") from error
    return scores


app.command("lora")(lora)
app.command("measure-cost")(measure_cost)
app.command("reproduce")(reproduce)
app.command("scaling")(scaling)
app.command("ladder")(ladder.ladder)
app.command("report")(ladder.report)
app.command("gate")(rung_gate)
app.add_typer(preferences.app)
app.add_typer(jobs.app)
for _name in RECIPES:
    _train_command(_name)
