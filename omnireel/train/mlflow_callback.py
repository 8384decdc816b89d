"""Runs in MLflow: configuration, revision, metrics, validation pictures.

MLflow is imported when the callback is made, so training without it needs no MLflow.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omnireel.errors import FailedPrecondition, Unavailable
from omnireel.registry.tracking import not_found
from omnireel.train.callbacks import Callback, RunInfo, StepEvent, ValidationReport
from omnireel.train.pictures import save_comparisons

_RUN_ID_FILE = "mlflow_run_id"
_BATCH = 100
"""Parameters that MLflow takes with one request."""


class MlflowCallback(Callback):
    """Logs to ``tracking_uri``: by default a local SQLite file, with artefacts beside it.

    A resumed training run goes on in the same MLflow run; with another database, where that is not,
    in a new one, which names it. A server that does not answer stops the run at the start with a
    clear error.
    """

    def __init__(
        self, tracking_uri: str, experiment: str = "omnireel", *, name: str = "", parent: str = ""
    ) -> None:
        """Import MLflow.

        Args:
            tracking_uri: MLflow's address.
            experiment: of the run.
            name: of the run; by default that of its folder.
            parent: id of the run that this one is a part of.

        Raises:
            FailedPrecondition: it is not installed.

        """
        # MLflow would send usage statistics; a training run talks to its tracking server only.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            import mlflow
            import mlflow.entities
        except ImportError as error:
            raise FailedPrecondition(
                "MLflow is not installed: pip install 'omnireel[train]', or add --mlflow off"
            ) from error
        self._mlflow: Any = mlflow
        self._entities: Any = mlflow.entities
        self._uri = tracking_uri
        self._experiment = experiment
        self._client: Any = None
        self._run_id = self._name = ""
        self._run_name, self._parent = name, parent

    def on_start(self, info: RunInfo) -> None:
        """Open the run (or the one that is being resumed) and log the configuration."""
        self._name = info.name
        artifacts = None
        if self._uri.startswith("sqlite:///"):
            database = Path(self._uri.removeprefix("sqlite:///")).resolve()
            database.parent.mkdir(parents=True, exist_ok=True)
            artifacts = (database.parent / "mlartifacts").as_uri()
        try:
            self._client = self._mlflow.MlflowClient(tracking_uri=self._uri)
            found = self._client.get_experiment_by_name(self._experiment)
            experiment_id = (
                found.experiment_id
                if found
                else self._client.create_experiment(self._experiment, artifact_location=artifacts)
            )
            self._run_id = self._open_run(info, experiment_id)
        except self._mlflow.exceptions.MlflowException as error:
            raise Unavailable(
                f"MLflow at {self._uri} does not work: {error}; check --mlflow, or use --mlflow off"
            ) from error

    def on_step(self, event: StepEvent) -> None:
        """Log the averages."""
        self._metrics(event.step, {**event.metrics, **event.throughput.metrics()})

    def on_validation(self, step: int, report: ValidationReport) -> None:
        """Log scores, and the comparisons as one sheet and one film for each validation."""
        self._metrics(step, {f"validation.{k}": v for k, v in report.metrics.items()})
        with TemporaryDirectory() as folder:
            title = f"{self._name}, step {step}"
            for path in save_comparisons(report.comparisons, Path(folder), title, f"{step:08d}"):
                self._client.log_artifact(self._run_id, str(path), "validation")

    def on_end(self, step: int, error: BaseException | None) -> None:
        """Close the run as finished or failed."""
        if self._run_id:
            self._client.set_terminated(self._run_id, "FAILED" if error else "FINISHED")

    def _open_run(self, info: RunInfo, experiment_id: str) -> str:
        note = info.folder / _RUN_ID_FILE
        before = ""
        if info.start_step and note.is_file():
            before = note.read_text(encoding="utf-8").strip()
            if self._goes_on(before):
                return before
            sys.stderr.write(
                f"MLflow at {self._uri} has no run {before}, which this one was so far; metrics "
                f"from step {info.start_step} on go to a new run there\n"
            )
        from omnireel.train.revision import git_revision

        name = self._run_name or info.folder.name
        tags = {"mlflow.runName": name, "git_revision": git_revision()}
        if before:
            tags["omnireel.goes_on_from"] = before
        if self._parent:
            tags["mlflow.parentRunId"] = self._parent
        run_id = str(self._client.create_run(experiment_id, tags=tags).info.run_id)
        note.write_text(run_id + "\n", encoding="utf-8")
        facts = {"recipe": info.name, "num_parameters": info.num_parameters}
        facts |= {"placement": info.placement, **info.config}
        params = [self._entities.Param(_key(k), str(v)[:500]) for k, v in facts.items()]
        for first in range(0, len(params), _BATCH):
            self._client.log_batch(run_id, params=params[first : first + _BATCH])
        return run_id

    def _goes_on(self, run_id: str) -> bool:
        """Take an earlier run up again; False where it is not in this database."""
        try:
            self._client.update_run(run_id, status="RUNNING")
        except self._mlflow.exceptions.MlflowException as error:
            if not_found(error):
                return False
            raise
        return True

    def _metrics(self, step: int, values: Mapping[str, float]) -> None:
        # All in one request: a server that asks for a password takes a tenth of a second for each.
        now = int(time.time() * 1000)
        metrics = [
            self._entities.Metric(_key(name), value, now, step)
            for name, value in values.items()
            if math.isfinite(value)
        ]
        if metrics:
            self._client.log_batch(self._run_id, metrics=metrics)


def _key(name: str) -> str:
    """MLflow allows letters, digits, and ``_-. /:`` in names."""
    return "".join(c if c.isalnum() or c in "_-. /:" else "_" for c in name)
