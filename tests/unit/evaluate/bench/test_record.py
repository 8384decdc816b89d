"""Scores beside weights: file, hash and card say the same, or it is said that they do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import FailedPrecondition
from omnireel.evaluate.bench.record import FILE, card_scores, read_scores, record_scores
from omnireel.evaluate.bench.rows import summary_of
from omnireel.evaluate.bench.suite import VERSION, index_sha256, read_index
from omnireel.evaluate.bench.tracking import log_results
from omnireel.evaluate.scorer import current_scorer
from omnireel.registry import verify
from omnireel.registry.tracking import open_client
from omnireel.shipped import SHIPPED_TEACHER, SHIPPED_TINY
from tests.support.tiny_weights import save_tiny_weights


def _record(number: int, split: str) -> dict[str, Any]:
    columns = {"score": 0.5, "floor": 0.2, "ceiling": 0.8, "truth": 1.0}
    return {
        "id": f"C10-{number:02d}", "capability": "C10", "split": split, "trained": True,
        "answers": {"matte": columns}, "evaluations": 20, "cost": {"making_cpu_s": 1.0},
    }  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_tiny_weights(tmp_path)


def _summary(weights: Path, **changes: Any) -> dict[str, Any]:
    hashes = {k: verify(weights / k)["sha256"]["model.safetensors"] for k in ("generator", "vae")}
    manifest = {
        "bench": {"version": VERSION, "index": index_sha256()},
        "model": {**hashes, "words": "precise", "seed": 0, **changes},
        **current_scorer(),
    }
    records = [_record(0, "train"), _record(1, "train"), _record(16, "held_out")]
    return {**summary_of(records, manifest), "cases": len(read_index())}


def test_recorded_scores_are_read_again_and_stand_in_the_card(weights: Path) -> None:
    data = _summary(weights)
    assert record_scores(data, weights) == weights / FILE
    found, stale = read_scores(weights)
    assert stale == ""
    assert found["rows"][0]["score"] == 0.5
    card = verify(weights / "generator")
    assert card["scores"] == card_scores(data)
    assert card["scores"]["bench_C10_held_out"] == 0.5
    assert "bench_C10 | 0.5 |" in (weights / "generator" / "README.md").read_text()


def test_scores_of_another_generator_go_into_its_card_alone(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(weights / "generator", other)
    data = _summary(weights)
    assert record_scores(data, weights, other) == other / "card.json"
    assert verify(other)["scores"] == card_scores(data)
    assert "scores" not in verify(weights / "generator") and not (weights / FILE).exists()
    with pytest.raises(FailedPrecondition, match="another one than was measured"):
        record_scores(data, weights, weights / "vae")


def test_scores_of_other_weights_are_called_out_of_date(weights: Path, tmp_path: Path) -> None:
    record_scores(_summary(weights), weights)
    data = json.loads((weights / FILE).read_text())
    data["model"]["generator"] = "0" * 64
    (weights / FILE).write_text(json.dumps(data))
    said = CliRunner().invoke(app, ["eval", "table", "--weights", str(weights)])
    assert said.exit_code == 0
    assert "out of date: measured with another generator" in said.output
    rows = json.loads(
        CliRunner().invoke(app, ["eval", "table", "--weights", str(weights), "--json"]).stdout
    )
    assert rows[0]["stale"] is True
    assert {"id", "score", "floor", "ceiling", "interval", "held_out"} <= rows[0].keys()


def _spoil(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at ``path``, or without it."""
    out = json.loads(json.dumps(data))
    *way, last = path.split(".")
    inner = out
    for step in way:
        inner = inner[step]
    inner[last] = value
    return dict(out)


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("oracles", "0" * 64, "other readers of clips"),
        ("oracles_version", 0, "version unknown of the oracles"),
        ("oracles_version", 99, "version 99 of the oracles"),
        ("upscaling.upscaler.weights", "0" * 64, "another upscaler"),
        ("upscaling.upscaler.config", "0" * 64, "another upscaler"),
        ("upscaling.upscaler", None, "another upscaler"),
    ],
)
def test_scores_by_another_scorer_or_upscaler_are_out_of_date(
    tmp_path: Path, path: str, value: Any, why: str
) -> None:
    for part in ("generator", "vae", "upscaler"):
        (tmp_path / part).symlink_to(SHIPPED_TINY / part)
    shipped = json.loads((SHIPPED_TINY / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(shipped))
    assert read_scores(tmp_path)[1] == ""
    (tmp_path / FILE).write_text(json.dumps(_spoil(shipped, path, value)))
    assert why in read_scores(tmp_path)[1]


def test_scores_without_intervals_of_spans_are_read(weights: Path) -> None:
    path = record_scores(_summary(weights), weights)
    data = json.loads(path.read_text())
    for row in data["rows"]:
        del row["span_interval"], row["held_out_interval"], row["held_out_span_interval"]
    path.write_text(json.dumps(data | {"oracles_version": 1}))
    found, stale = read_scores(weights)
    assert "version 1 of the oracles" in stale
    assert found["rows"][0]["span_interval"] is None
    assert CliRunner().invoke(app, ["eval", "table", "--weights", str(weights)]).exit_code == 0


def test_recorded_scores_without_a_column_are_damaged(weights: Path) -> None:
    record_scores(_summary(weights), weights)
    data = json.loads((weights / FILE).read_text())
    del data["rows"][0]["interval"]
    (weights / FILE).write_text(json.dumps(data))
    said = CliRunner().invoke(app, ["eval", "table", "--weights", str(weights)])
    assert said.exit_code == 1
    told = " ".join(said.output.split())
    assert "bench.json is damaged (KeyError('interval')); record the scores again" in told


def test_a_part_of_the_benchmark_is_not_recorded(weights: Path) -> None:
    with pytest.raises(FailedPrecondition, match="3 of 600 cases"):
        record_scores({**_summary(weights), "cases": 3}, weights)
    with pytest.raises(FailedPrecondition, match="--seed 0"):
        record_scores(_summary(weights, seed=1), weights)
    with pytest.raises(FailedPrecondition, match="another one than was measured"):
        record_scores(_summary(weights, vae="0" * 64), weights)
    assert not (weights / FILE).exists()


def test_no_recorded_scores_is_one_line(weights: Path) -> None:
    said = CliRunner().invoke(app, ["eval", "table", "--weights", str(weights)])
    assert said.exit_code == 1
    assert "there are no recorded scores" in said.output


@pytest.mark.filterwarnings("ignore")  # of what MLflow imports
def test_results_are_a_run_in_mlflow(weights: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text("{}")
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    run_id = log_results(address, _summary(weights, enhancer=""), results)
    client = open_client(address)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["bench.C10.score"] == 0.5
    assert run.data.metrics["bench.mean.span"] == 0.5
    assert run.data.params["words"] == "precise"
    assert [file.path for file in client.list_artifacts(run_id)] == ["results.json"]


def test_shipped_scores_hash_and_card_agree() -> None:
    data, stale = read_scores(SHIPPED_TINY)
    assert stale == ""
    assert len(data["rows"]) == 25
    scores = verify(SHIPPED_TINY / "generator")["scores"]
    assert {k: v for k, v in scores.items() if k.startswith("bench_")} == card_scores(data)
    assert set(verify(SHIPPED_TEACHER)["scores"]) == set(card_scores(data))
