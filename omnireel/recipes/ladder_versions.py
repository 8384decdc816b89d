"""A climb in MLflow: a run above those of its rungs, and each rung's component as a model version
whose parents are the rungs that it stands on."""

from __future__ import annotations

from pathlib import Path

from omnireel.recipes.climb import RungResult
from omnireel.registry import write_text_atomic
from omnireel.registry.publishing import register
from omnireel.registry.tracking import experiment_id, mlflow_errors, open_client
from omnireel.registry.versions import ModelVersion
from omnireel.train.revision import git_revision

_RUN_ID_FILE = "mlflow_run_id"


def climb_run(folder: Path, size: str, tracking_uri: str) -> str:
    """Id of the MLflow run that the rungs' runs belong to, made once for a climb's folder."""
    note = folder / _RUN_ID_FILE
    if note.is_file():
        return note.read_text(encoding="utf-8").strip()
    client = open_client(tracking_uri, create=True)
    experiment = experiment_id(client, tracking_uri)
    with mlflow_errors(tracking_uri):
        tags = {"mlflow.runName": f"ladder-{size}", "git_revision": git_revision()}
        run_id = str(client.create_run(experiment, tags=tags).info.run_id)
        client.set_terminated(run_id)  # it does nothing itself
    folder.mkdir(parents=True, exist_ok=True)
    write_text_atomic(note, run_id + "\n")
    return run_id


class LadderVersions:
    """Registers rungs in order; the same component again is the version that it was."""

    def __init__(self, size: str, tracking_uri: str) -> None:
        self._size, self._tracking_uri = size, tracking_uri
        self._by_component: dict[str, str] = {}

    def register(self, result: RungResult) -> ModelVersion:
        """The version of a finished rung, called ``omnireel-<size>-<part>``.

        Raises:
            NotFound: a rung that it stands on was not registered first.

        """
        run_id = result.component.parent / "run" / _RUN_ID_FILE
        parents = dict.fromkeys(self._by_component[str(p)] for p in result.stands_on.values())
        version = register(
            result.component,
            name=f"omnireel-{self._size}-{result.rung.part}",
            run_id=run_id.read_text(encoding="utf-8").strip() if run_id.is_file() else None,
            parents=tuple(parents),
            tracking_uri=self._tracking_uri,
        )
        self._by_component[str(result.component)] = version.ref
        return version
