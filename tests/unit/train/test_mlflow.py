from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnireel.errors import FailedPrecondition
from omnireel.train.callbacks import ValidationReport
from omnireel.train.comparison import Comparison
from omnireel.train.mlflow_callback import MlflowCallback
from tests.support.toy_training import ToyObjective, toy_trainer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow

pytestmark = pytest.mark.filterwarnings("ignore")


class WithMedia(ToyObjective):
    def validate(self) -> ValidationReport:
        report = super().validate()
        clip = np.zeros((3, 8, 8, 3), np.uint8)
        shown = Comparison("C20: a red ball", {"truth": clip, "this run": clip[:2]})
        return ValidationReport(report.metrics, (shown,))


def _client(uri: str) -> Any:
    return mlflow.MlflowClient(tracking_uri=uri)


def test_metrics_configuration_and_media_reach_one_run(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/ml.db"
    run = tmp_path / "run"
    description = {"model.width": 4}

    def trainer(**changes: Any) -> Any:
        return toy_trainer(
            run, MlflowCallback(uri), objective=WithMedia(), description=description, **changes
        )

    trainer(num_steps=6).fit()
    run_id = (run / "mlflow_run_id").read_text().strip()
    trainer(num_steps=12).fit(resume=True)
    assert (run / "mlflow_run_id").read_text().strip() == run_id
    client = _client(uri)
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params["model.width"] == "4" and "git_revision" in found.data.tags
    assert [m.step for m in client.get_metric_history(run_id, "loss")] == [3, 6, 9, 12]
    assert "validation.value" in found.data.metrics
    assert [a.path for a in client.list_artifacts(run_id, "validation")] == [
        f"validation/{step:08d}.{kind}" for step in (6, 12) for kind in ("mp4", "png")
    ]


def test_with_another_database_a_run_goes_on_in_a_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, uri = tmp_path / "run", f"sqlite:///{tmp_path}/other.db"
    toy_trainer(run, MlflowCallback(f"sqlite:///{tmp_path}/ml.db"), num_steps=6).fit()
    before = (run / "mlflow_run_id").read_text().strip()
    toy_trainer(run, MlflowCallback(uri)).fit(resume=True)
    assert f"has no run {before}" in capsys.readouterr().err
    run_id = (run / "mlflow_run_id").read_text().strip()
    found = _client(uri).get_run(run_id)
    assert found.data.tags["omnireel.goes_on_from"] == before
    assert [m.step for m in _client(uri).get_metric_history(run_id, "loss")] == [9, 12]


def test_a_failed_run_is_marked(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/ml.db"
    run = tmp_path / "run"
    trainer = toy_trainer(
        run, MlflowCallback(uri), objective=ToyObjective(bad_steps=(3,)), non_finite="stop"
    )
    with pytest.raises(FailedPrecondition):
        trainer.fit()
    run_id = (run / "mlflow_run_id").read_text().strip()
    assert _client(uri).get_run(run_id).info.status == "FAILED"


def test_absence_of_mlflow_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(FailedPrecondition, match="--mlflow off"):
        MlflowCallback("sqlite:///x.db")
