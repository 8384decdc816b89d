"""Runs of the benchmark on a random model: equal scores, killed or not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import AlreadyExists, FailedPrecondition, NotFound
from omnireel.evaluate.bench.case_run import Model, judge_case
from omnireel.evaluate.bench.rows import score_in
from omnireel.evaluate.bench.run import read_manifest, read_records, run_bench
from omnireel.evaluate.bench.suite import chosen, sample_of
from omnireel.evaluate.failures.generated import worst_generated, worst_records
from omnireel.registry import verify
from tests.support.tiny_weights import save_tiny_weights

CASES = chosen(("C18",), quick=True)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def model(weights: Path) -> Model:
    return Model(weights / "generator", weights / "vae", num_inference_steps=1)


@pytest.fixture(scope="module")
def whole(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run_bench(model, CASES, folder, workers=0)
    return folder


def _answers(folder: Path) -> list[Any]:
    return [(r["id"], r["answers"], r["clips"]) for r in read_records(folder, CASES)]


def test_a_record_has_every_column_and_the_clips_that_the_page_plays(whole: Path) -> None:
    records = read_records(whole, CASES)
    assert [r["id"] for r in records] == ["C18-00", "C18-01"]
    assert set(records[0]["answers"]["first_frame"]) == {"score", "floor", "ceiling", "truth"}
    assert [c["role"] for c in records[0]["clips"]] == ["first frame", "target", "result"]
    for clip in records[0]["clips"]:
        assert (whole / "clips" / clip["file"]).stat().st_size > 500
    assert records[0]["trained"] is False


def test_a_killed_run_goes_on_and_ends_with_the_same_scores(
    whole: Path, weights: Path, model: Model, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "omnireel.cli.main", "eval", "bench", "--weights", weights,
               "--capability", "C18", "--quick", "--steps", "1", "--workers", "1",
               "--mlflow", "off", "--out", tmp_path / "run"]  # fmt: skip
    process = subprocess.Popen([*map(str, command)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    first = tmp_path / "run" / "cases" / f"{CASES[0].id}.json"
    try:
        while not first.exists():
            assert process.poll() is None, "the run ended before its first case"
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = first.stat().st_mtime_ns
    run_bench(model, CASES, tmp_path / "run", workers=0)
    assert _answers(tmp_path / "run") == _answers(whole)
    assert first.stat().st_mtime_ns == before


def test_another_seed_is_another_run(model: Model, whole: Path) -> None:
    other = Model(model.generator, model.vae, 1, seed=1)
    with pytest.raises(AlreadyExists, match="another seed; choose another --out"):
        run_bench(other, CASES, whole, workers=0)


def test_other_oracles_make_another_run(
    model: Model, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnireel.evaluate.scorer.VERSION", 99)
    with pytest.raises(AlreadyExists, match="another oracles_version; choose another --out"):
        run_bench(model, CASES, whole, workers=0)


def test_the_exact_answer_scores_as_the_truth() -> None:
    case = CASES[0]
    sample = sample_of(case)
    answers = judge_case(case, sample, sample.target, sample.target)
    for found in answers.values():
        assert found["score"] == found["ceiling"] == found["truth"]
    assert answers["first_frame"]["score"] == 60.0
    assert (answers["first_frame"]["floor"] or 0) < 30


def test_the_command_writes_results_and_prints_a_table(weights: Path, whole: Path) -> None:
    arguments = ["eval", "bench", "--weights", str(weights), "--capability", "C18", "--quick",
                 "--steps", "1", "--mlflow", "off", "--out", str(whole)]  # fmt: skip
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 0, said.output
    assert "first frame (not trained)" in said.output
    data = json.loads((whole / "results.json").read_text())
    assert data["rows"][0]["id"] == "C18"
    assert data["model"] == read_manifest(whole)["model"]


def test_the_worst_cases_are_shown_and_put_into_the_card(
    weights: Path, whole: Path, tmp_path: Path
) -> None:
    generator = tmp_path / "generator"
    shutil.copytree(weights / "generator", generator)
    picture = tmp_path / "worst.png"
    words = ["eval", "failures", str(generator), "--bench", str(whole), "--out", str(picture)]
    said = CliRunner().invoke(app, [*words, "--record"])
    assert said.exit_code == 0, said.output
    told = verify(generator)["failures"]
    assert told["command"].endswith(f"--bench {whole}") and "of 2 cases" in told["summary"]
    assert (generator / "failures.png").read_bytes() == picture.read_bytes()
    assert "](failures.png)" in (generator / "README.md").read_text()
    records = read_records(whole)
    (worst,) = worst_records(records, 5, per_row=1)
    behind = [score_in(r, "score") - score_in(r, "ceiling") for r in records]  # type: ignore[operator]
    assert worst == records[behind.index(min(behind))]
    with pytest.raises(FailedPrecondition, match="measured another generator"):
        worst_generated(weights / "vae", whole, 5)


def test_damage_is_told_before_cases_are_made(
    model: Model, weights: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    first, second = (folder / "cases" / f"{case.id}.json" for case in CASES)
    second.unlink()
    clip = folder / "clips" / read_records(folder)[0]["clips"][-1]["file"]
    clip.write_bytes(clip.read_bytes()[:40])
    with pytest.raises(FailedPrecondition, match=rf"{clip.name} is damaged .* remove {first}"):
        worst_generated(weights / "generator", folder, 5)
    clip.unlink()
    with pytest.raises(FailedPrecondition, match=rf"{clip.name} is damaged .* remove {first}"):
        run_bench(model, CASES, folder, workers=0)
    first.write_text(first.read_text()[:50])
    with pytest.raises(FailedPrecondition, match=rf"{first} is damaged"):
        run_bench(model, CASES, folder, workers=0)
    assert not second.exists()
    first.unlink()
    with pytest.raises(NotFound, match="no case is finished"):
        worst_generated(weights / "generator", folder, 5)
    run_bench(model, CASES, folder, workers=0)
    assert _answers(folder) == _answers(whole)
    assert clip.stat().st_size > 500


def test_a_wrong_capability_is_one_line() -> None:
    said = CliRunner().invoke(app, ["eval", "bench", "--capability", "C99"])
    assert said.exit_code == 2
    assert "unknown capability 'C99'" in said.output
