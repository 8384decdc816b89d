"""Results in MLflow: one run with a metric for every row and the results as its artefact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnireel.registry.tracking import experiment_id, mlflow_errors, open_client

_MEANS = ("score", "span")
_COLUMNS = ("score", "floor", "ceiling", "span", "held_out", "held_out_span")


def log_results(tracking_uri: str, data: Mapping[str, Any], results: Path) -> str:
    """Log a summary and the file that it was written to; returns the id of the run.

    Raises:
        FailedPrecondition: MLflow is not installed.
        Unavailable: it does not answer.

    """
    client = open_client(tracking_uri, create=True)
    experiment = experiment_id(client, tracking_uri)
    model = data["model"]
    name = f"bench-{model['generator'][:12]}"
    with mlflow_errors(tracking_uri):
        run_id = str(client.create_run(experiment, tags={"mlflow.runName": name}).info.run_id)
        client.log_param(run_id, "bench", data["bench"]["version"])
        for key, value in model.items():
            if value != "":
                client.log_param(run_id, key, str(value)[:500])
        for key, value in _metrics(data).items():
            client.log_metric(run_id, key, value)
        client.log_artifact(run_id, str(results))
        client.set_terminated(run_id, "FINISHED")
    return run_id


def _metrics(data: Mapping[str, Any]) -> dict[str, float]:
    found = {f"bench.mean.{name}": data["mean"][name] for name in _MEANS}
    for row in data["rows"]:
        found |= {f"bench.{row['id']}.{column}": row[column] for column in _COLUMNS}
    return {name: float(value) for name, value in found.items() if value is not None}
