"""``train_ladder`` through Kubeflow's local runner: every step is a process of the real verb."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnireel.cli.ladder import rung_names
from omnireel.registry.versions import Registry
from tests.support.local_pipelines import artefact, run_locally
from tests.support.registry import fresh_registry

pytestmark = [pytest.mark.timeout(3000), pytest.mark.filterwarnings("ignore")]


SETTINGS = ["smoke=true", "cases=0", "last=images"]


def test_the_whole_ladder_is_climbed_and_the_gate_at_its_top_is_asked(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    done = run_locally("train_ladder", tmp_path, ["smoke=true", "cases=0"], {"mlflow": uri})
    assert done.returncode == 0, done.stdout + done.stderr

    names = rung_names("tiny")
    for rung in names:
        assert (tmp_path / "train_ladder/work" / rung / "component/card.json").is_file()
    gates = list((tmp_path / "train_ladder/steps").glob("*/gate-rung*/verdict"))
    assert len(gates) == len(names) - 1
    assert {json.loads(gate.read_text())["verdict"] for gate in gates} == {"passed"}
    model = artefact(tmp_path, "train_ladder", "finish-climb", "model")
    assert {part.name for part in model.iterdir()} == {"vae", "generator", "upscaler", "enhancer"}
    # Models of a few steps pass no bar, and are not promoted.
    registry = Registry.open(uri)
    for part in ("generator", "upscaler", "enhancer"):
        newest = registry.named(f"omnireel-tiny-smoke-{part}")[-1]
        assert newest.gate == "refused" and f"{newest.ref}: not promoted" in done.stdout
        assert registry.champion(newest.name) is None


def test_a_ladder_is_climbed_step_by_step_and_a_gate_stops_it(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    done = run_locally("train_ladder", tmp_path, SETTINGS, {"mlflow": uri})
    assert done.returncode == 0, done.stdout + done.stderr

    climb = tmp_path / "train_ladder/work"
    for rung in ("vae", "keeper", "images"):
        assert (climb / rung / "component/card.json").is_file()
    # What the steps handed on, as typed artefacts.
    verdict = json.loads(artefact(tmp_path, "train_ladder", "gate-rung", "verdict").read_text())
    assert verdict["verdict"] == "passed"
    found = json.loads(artefact(tmp_path, "train_ladder", "finish-climb", "result").read_text())
    assert (found["rung"], found["part"], found["kept"]) == ("images", "generator", True)
    model = artefact(tmp_path, "train_ladder", "finish-climb", "model")
    assert {part.name for part in model.iterdir()} == {"vae", "generator"}
    # Their lineage is MLflow's.
    images = Registry.open(uri).resolve(found["version"])
    assert images.content_hash == found["content_hash"]
    assert images.parents == ("omnireel-tiny-smoke-vae/2",)

    # A rung that has fallen: its gate fails, and nothing comes after it.
    metrics = climb / "vae/run/metrics.jsonl"
    spoiled = json.dumps({"event": "train", "step": 9, "loss": "nan"})
    metrics.write_text(f"{metrics.read_text().rstrip()}\n{spoiled}\n")
    refused = run_locally("train_ladder", tmp_path, SETTINGS, {"mlflow": uri})
    assert refused.returncode == 1
    assert "train loss is nan" in refused.stdout
    assert "Inner task failed" in refused.stderr
    steps = tmp_path / "train_ladder/steps"
    assert len(list(steps.glob("*/climb-rung/result"))) == 2
    assert len(list(steps.glob("*/finish-climb"))) == 1
