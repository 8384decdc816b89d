"""Compile, run and watch training workflows (Kubeflow Pipelines)."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnireel.cli.parsing import named_values
from omnireel.cli.printing import err, out
from omnireel.errors import InvalidInput

if TYPE_CHECKING:
    from pipelines.server import Run, Server

if importlib.util.find_spec("kfp") is None:  # told before a verb is half done
    raise ModuleNotFoundError("No module named 'kfp'", name="kfp")

app = typer.Typer(
    name="pipelines",
    help="Compile, run and watch training workflows (Kubeflow Pipelines).\n\n"
    "Example: omnireel pipelines run train_ladder --local --set smoke=true --set cases=0",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="See 'omnireel pipelines list'.")]
Image = Annotated[
    str, typer.Option(envvar="OMNIREEL_IMAGE", help="Image of the steps, with a version.")
]
Volume = Annotated[str, typer.Option(help="PersistentVolumeClaim of runs and data.")]
MlflowSecret = Annotated[
    str, typer.Option(help="Secret with username and password of MLflow; may be missing.")
]
StorageSecret = Annotated[
    str, typer.Option(help="Secret with access-key and secret-key of the store; may be missing.")
]
GatewaySecret = Annotated[
    str,
    typer.Option(
        help="Secret with api-key (and tls, as $OMNIREEL_TLS) for the canary's gateway; may be "
        "missing."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="field=value: which steps there are, as smoke=true (repeatable)."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--argument", "-a", help="name=value: what the steps work on (repeatable)."),
]
Endpoint = Annotated[
    str,
    typer.Option(envvar="KFP_ENDPOINT", help="Address of Kubeflow Pipelines: http://host:port."),
]
Namespace = Annotated[
    str,
    typer.Option(envvar="KFP_NAMESPACE", help="Namespace of the profile, where there are several."),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Run id printed by 'submit'.")]

_VOLUME = "omnireel-runs"
_MLFLOW_SECRET = "omnireel-mlflow-client"
_STORAGE_SECRET = "omnireel-storage"
_GATEWAY_SECRET = "omnireel-gateway-client"


@app.command("list")
def list_workflows() -> None:
    """Show every workflow, its settings and its arguments. Example: omnireel pipelines list."""
    from dataclasses import asdict

    from pipelines.workflows import WORKFLOWS
    from pipelines.workflows.place import ThisMachine

    for name, found in WORKFLOWS.items():
        out().print(f"{name}: {found.summary}")
        out().print("  --set " + ", ".join(f"{k}={v}" for k, v in asdict(found.config).items()))
        inputs = found.pipeline(ThisMachine()).component_spec.inputs
        shown = (f"{k}={s.default}" if s.optional else k for k, s in inputs.items())
        out().print("  -a " + ", ".join(shown))


@app.command("compile")
def compile_(
    name: Name,
    image: Image,
    file: Annotated[Path, typer.Option("--out", help="YAML file to write.")],
    settings: Settings = None,
    volume: Volume = _VOLUME,
    mlflow_secret: MlflowSecret = _MLFLOW_SECRET,
    storage_secret: StorageSecret = _STORAGE_SECRET,
    gateway_secret: GatewaySecret = _GATEWAY_SECRET,
) -> None:
    """Write the YAML that Kubeflow Pipelines takes.

    Example: omnireel pipelines compile train_ladder --image registry/omnireel:1.2 --out ladder.yaml
    """
    from pipelines.compiling import write_compiled

    secrets = (mlflow_secret, storage_secret, gateway_secret)
    write_compiled(_in_cluster(name, image, volume, secrets, settings), file)
    out().print(str(file))


@app.command("run")
def run(
    name: Name,
    here: Annotated[
        bool, typer.Option("--local", help="Run on this machine, step by step.")
    ] = False,
    settings: Settings = None,
    arguments: Arguments = None,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder for everything that the steps make.")
    ] = Path("runs/pipelines"),
) -> None:
    """Run a whole workflow on this machine, by Kubeflow's local runner.

    Arguments that name a folder, and MLflow's address, are in --out unless they are given.

    Example: omnireel pipelines run train_ladder --local --set smoke=true --set last=images
    """
    from pipelines.running import run_here
    from pipelines.workflows import workflow
    from pipelines.workflows.place import ThisMachine

    if not here:
        raise InvalidInput(
            "say --local to run here, or use 'omnireel pipelines submit' for a cluster",
            field="local",
        )
    home = folder.resolve() / name
    pipeline = workflow(name).pipeline(ThisMachine(), settings or ())
    given = {
        "folder": str(home / "work"),
        "cache": str(folder.resolve() / "cache"),
        "mlflow": f"sqlite:///{folder.resolve()}/mlflow.db",
        "job": "",
    }
    known = pipeline.component_spec.inputs or {}
    given = {key: value for key, value in given.items() if key in known}
    home.mkdir(parents=True, exist_ok=True)
    run_here(pipeline, {**given, **_arguments(arguments, known)}, home / "steps")
    out().print(f"{name}: done, {home}")


@app.command("submit")
def submit(
    name: Name,
    image: Image,
    endpoint: Endpoint,
    settings: Settings = None,
    arguments: Arguments = None,
    volume: Volume = _VOLUME,
    mlflow_secret: MlflowSecret = _MLFLOW_SECRET,
    storage_secret: StorageSecret = _STORAGE_SECRET,
    gateway_secret: GatewaySecret = _GATEWAY_SECRET,
    namespace: Namespace = "",
    experiment: Annotated[str, typer.Option(help="Experiment that the run belongs to.")] = (
        "omnireel"
    ),
) -> None:
    """Start a workflow on Kubeflow Pipelines and print the run's id.

    Example: omnireel pipelines submit train_ladder --image registry/omnireel:1.2
    --endpoint http://ml-pipeline:8888 -a folder=/runs/ladder-7
    """
    from pipelines.compiling import compiled, documents
    from pipelines.running import check_arguments
    from pipelines.workflows import workflow

    secrets = (mlflow_secret, storage_secret, gateway_secret)
    pipeline = _in_cluster(name, image, volume, secrets, settings)
    given = _arguments(arguments, pipeline.component_spec.inputs or {})
    check_arguments(pipeline, given)
    workflow(name).check_arguments(settings or (), given, lambda line: err().print(line))
    started = _server(endpoint, namespace).submit(
        documents(compiled(pipeline)), given, name=name, experiment=experiment
    )
    out().print(started.id)


@app.command("status")
def status(
    run_id: RunId,
    endpoint: Endpoint,
    namespace: Namespace = "",
    watch: Annotated[bool, typer.Option("--watch", help="Wait until the run has ended.")] = False,
    every_s: Annotated[float, typer.Option(min=0.05, help="Polling interval in seconds.")] = 5.0,
) -> None:
    """Show a run and its steps; exits with 1 for one that failed or was cancelled.

    Example: omnireel pipelines status 0f3a... --endpoint http://ml-pipeline:8888 --watch
    """
    server = _server(endpoint, namespace)
    found = server.look(run_id)
    shown: set[str] = set()
    while watch and not found.finished:
        for line in _lines(found):
            if line not in shown:
                out().print(line, markup=False)
                shown.add(line)
        time.sleep(every_s)
        found = server.look(run_id)
    for line in _lines(found):
        if line not in shown:
            out().print(line, markup=False)
    out().print(f"{found.id} {found.name}: {found.state} {found.error}".rstrip(), markup=False)
    if found.finished and found.state != "SUCCEEDED":
        raise typer.Exit(1)


@app.command("logs")
def logs(
    run_id: RunId,
    endpoint: Endpoint,
    step: Annotated[str, typer.Option(help="Show only this step.")] = "",
    namespace: Namespace = "",
) -> None:
    """Print what a run's steps have written, as far as their pods are there.

    Example: omnireel pipelines logs 0f3a... --endpoint http://ml-pipeline:8888 --step clips
    """
    from omnireel.errors import NotFound

    server = _server(endpoint, namespace)
    found = server.look(run_id)
    steps = [task for task in found.tasks if task.pod and step in ("", task.name)]
    if not steps:
        names = ", ".join(task.name for task in found.tasks if task.pod) or "none yet"
        raise NotFound(f"no step {step!r} of this run has a pod; there are {names}")
    for task in steps:
        out().print(f"== {task.name} ({task.state})", markup=False)
        try:
            for piece in server.logs(run_id, task.pod):
                typer.echo(piece, nl=False)
        except NotFound as gone:
            err().print(gone.message, markup=False)


@app.command("cancel")
def cancel(run_id: RunId, endpoint: Endpoint, namespace: Namespace = "") -> None:
    """Stop a run; jobs that its steps have submitted end with their pods.

    Example: omnireel pipelines cancel 0f3a... --endpoint http://ml-pipeline:8888
    """
    found = _server(endpoint, namespace).cancel(run_id)
    out().print(f"{found.id} {found.name}: {found.state}", markup=False)


def _in_cluster(
    name: str,
    image: str,
    volume: str,
    secrets: tuple[str, str, str],
    settings: Sequence[str] | None,
) -> Any:
    from pipelines.workflows import workflow
    from pipelines.workflows.place import Cluster

    mlflow, storage, gateway = secrets
    place = Cluster(
        image,
        volume=volume,
        mlflow_secret=mlflow,
        storage_secret=storage,
        gateway_secret=gateway,
    )
    return workflow(name).pipeline(place, settings or ())


def _server(endpoint: str, namespace: str) -> Server:
    from pipelines.server import Server, ServerConfig

    return Server(ServerConfig(endpoint, namespace))


def _arguments(pairs: Sequence[str] | None, inputs: Mapping[str, Any]) -> dict[str, object]:
    """Values in the types of the workflow's arguments."""
    kinds = {"Integer": int, "Float": float}
    given = named_values(pairs or (), "--argument", "-a folder=/runs/ladder")
    values: dict[str, object] = {}
    for name, text in given.items():
        kind = kinds.get(inputs[name].type, str) if name in inputs else str
        try:
            values[name] = kind(text)
        except ValueError:
            raise InvalidInput(f"{name} is a number, not {text!r}", field=name) from None
    return values


def _lines(found: Run) -> list[str]:
    return [
        f"{task.state:<10} {task.name}{f': {task.error}' if task.error else ''}"
        for task in found.tasks
    ]
