"""``omnireel pipelines``: compile, run and watch training workflows (Kubeflow Pipelines)."""

from __future__ import annotations

import importlib.util

import typer

if importlib.util.find_spec("kfp") is None:  # told before a verb is half done
    raise ModuleNotFoundError("No module named 'kfp'", name="kfp")

from pipelines.cli.runs import cancel, logs, status
from pipelines.cli.workflows import compile_, list_workflows, run, submit

app = typer.Typer(
    name="pipelines",
    help="Compile, run and watch training workflows (Kubeflow Pipelines).\n\n"
    "Example: omnireel pipelines run train_ladder --local --set smoke=true --set cases=0",
    no_args_is_help=True,
)

app.command("list")(list_workflows)
app.command("compile")(compile_)
app.command("run")(run)
app.command("submit")(submit)
app.command("status")(status)
app.command("logs")(logs)
app.command("cancel")(cancel)
