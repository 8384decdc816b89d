"""``omnireel pipelines list``, ``compile``, ``run`` and ``submit``: workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from omnireel.cli.devices import Device, present_device
from omnireel.cli.parsing import named_values
from omnireel.cli.printing import err, out
from omnireel.errors import InvalidInput
from pipelines.cli.options import Arguments, Endpoint, Image, Name, Namespace, Settings, server_of

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
Pod = Annotated[
    list[str] | None,
    typer.Option(
        help="field=value of every step's pod, as memory=64Gi,gpus=1, or verb.field=value of one "
        "verb's (repeatable)."
    ),
]

_VOLUME = "omnireel-runs"
_MLFLOW_SECRET = "omnireel-mlflow-client"
_STORAGE_SECRET = "omnireel-storage"
_GATEWAY_SECRET = "omnireel-gateway-client"


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


def compile_(
    name: Name,
    image: Image,
    file: Annotated[Path, typer.Option("--out", help="YAML file to write.")],
    settings: Settings = None,
    volume: Volume = _VOLUME,
    mlflow_secret: MlflowSecret = _MLFLOW_SECRET,
    storage_secret: StorageSecret = _STORAGE_SECRET,
    gateway_secret: GatewaySecret = _GATEWAY_SECRET,
    pod: Pod = None,
) -> None:
    """Write the YAML that Kubeflow Pipelines takes.

    Example: omnireel pipelines compile train_ladder --image registry/omnireel:1.2 --out ladder.yaml
    """
    from pipelines.compiling import write_compiled

    secrets = (mlflow_secret, storage_secret, gateway_secret)
    write_compiled(_in_cluster(name, image, volume, secrets, pod, settings), file)
    out().print(str(file))


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
    device: Device = "cpu",
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
            "give --local to run here, or use 'omnireel pipelines submit' for a cluster",
            field="local",
        )
    home = folder.resolve() / name
    place = ThisMachine(present_device(device))
    pipeline = workflow(name).pipeline(place, settings or ())
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
    pod: Pod = None,
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
    pipeline = _in_cluster(name, image, volume, secrets, pod, settings)
    given = _arguments(arguments, pipeline.component_spec.inputs or {})
    check_arguments(pipeline, given)
    workflow(name).check_arguments(settings or (), given, lambda line: err().print(line))
    started = server_of(endpoint, namespace).submit(
        documents(compiled(pipeline)), given, name=name, experiment=experiment
    )
    out().print(started.id)


def _in_cluster(
    name: str,
    image: str,
    volume: str,
    secrets: tuple[str, str, str],
    pod: Sequence[str] | None,
    settings: Sequence[str] | None,
) -> Any:
    from pipelines.workflows import workflow
    from pipelines.workflows.place import Cluster
    from pipelines.workflows.pods import Pods

    mlflow, storage, gateway = secrets
    place = Cluster(
        image,
        volume=volume,
        mlflow_secret=mlflow,
        storage_secret=storage,
        gateway_secret=gateway,
        pods=Pods.of_settings(pod or ()),
    )
    return workflow(name).pipeline(place, settings or ())


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
            raise InvalidInput(f"{name} must be a number, not {text!r}", field=name) from None
    return values
