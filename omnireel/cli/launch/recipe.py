"""One run of a recipe in the cluster, by the words that run it on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from omnireel.cli.launch.manifest import JobConfig, this_pod
from omnireel.cli.launch.width import fitted
from omnireel.cli.printing import err
from omnireel.errors import InvalidInput

STOPPED_EARLY = 75
"""Exit status of a run with ``--continue`` that was told to stop before its end: whoever started it
must start it again (EX_TEMPFAIL)."""

Launcher = Annotated[
    str,
    typer.Option(
        help="local: in this process; trainjob: as a job of the Kubeflow Trainer, with --out and "
        "--cache on a volume that its pods mount."
    ),
]
Job = Annotated[
    list[str] | None,
    typer.Option(
        help="field=value of the job, e.g. nodes=2, queue=research, gpus=8, runtime=omnireel; "
        "repeatable, or several separated by commas."
    ),
]


@dataclass(frozen=True)
class RecipeRun:
    """What ``omnireel train RECIPE`` was asked to do, as it can be said again elsewhere."""

    recipe: str
    out: Path
    cache: Path
    mlflow: str
    init_from: Path | None = None
    overrides: Sequence[str] = ()
    name: str = ""
    """Of the run in MLflow; empty: its folder's."""
    parent: str = ""
    """Id of the run above it in MLflow."""
    copy_to: str = ""
    """Object store that checkpoints are copied to."""

    def words(self, start: str = "--continue") -> list[str]:
        """The command line after ``omnireel``. ``start`` is "--continue" where a lost pod is
        replaced, "--resume" where there is a checkpoint, and empty for a new run."""
        given = {"--out": self.out, "--cache": self.cache, "--mlflow": self.mlflow}
        words = ["train", self.recipe, *([start] if start else ())]
        words += [str(part) for option in given.items() for part in option]
        if self.init_from is not None:
            words += ["--init-from", str(self.init_from)]
        if self.name:
            words += ["--run-name", self.name]
        if self.parent:
            words += ["--run-parent", self.parent]
        if self.copy_to:
            words += ["--copy-to", self.copy_to]
        return [*words, *(part for text in self.overrides for part in ("--set", text))]


def launcher_of(name: str, job: Sequence[str] | None) -> Literal["local", "trainjob"]:
    """Check the two options together.

    Raises:
        InvalidInput: an unknown launcher, or settings of a job for none.

    """
    if name == "local":
        if any(job or ()):
            raise InvalidInput("--job describes a TrainJob; add --launcher trainjob", field="job")
        return "local"
    if name == "trainjob":
        return "trainjob"
    raise InvalidInput(f"{name!r} is not a launcher; use local or trainjob", field="launcher")


def launch(run: RecipeRun, job: Sequence[str] | None) -> None:
    """Train as a TrainJob and stay until it has ended.

    Raises:
        InvalidInput: a place that no other machine has, a wrong setting, or more ranks or GPUs than
            the recipe can use.
        FailedPrecondition: no cluster, or the job failed.
        Cancelled: we were told to stop; the job was deleted.

    """
    from omnireel.cli.launch.cluster import Cluster
    from omnireel.cli.launch.follow import follow, submit

    config = JobConfig.of_settings(job or ())
    _check_places(run)
    config = fitted(config, run.recipe, run.overrides, run.out)
    cluster = Cluster.connect(config.namespace)
    name = submit(cluster, run.recipe, str(run.out), run.words(), config, this_pod())
    err().print(f"{name}: submitted to namespace {cluster.namespace}", markup=False)
    follow(cluster, name, lambda line: err().print(line, markup=False))


def _check_places(run: RecipeRun) -> None:
    for option, path in (("out", run.out), ("cache", run.cache)):
        if not path.is_absolute():
            raise InvalidInput(
                f"--{option} {path} is a folder of this machine; give one on the volume that the "
                f"job's pods mount, e.g. /runs/{path.name}",
                field=option,
            )
    if run.mlflow.startswith("sqlite:"):
        raise InvalidInput(
            "pods cannot share an SQLite file; give the address of an MLflow server, e.g. "
            "--mlflow http://omnireel-mlflow:5000, or --mlflow off",
            field="mlflow",
        )
