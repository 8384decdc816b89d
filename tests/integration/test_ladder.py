"""The whole ladder by its command line, killed once: it goes on, and ends at the gate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from omnireel.recipes.ladder import build_ladder
from omnireel.registry import verify
from omnireel.registry.lineage import lineage_of
from omnireel.registry.versions import Registry, content_hash
from tests.support.registry import fresh_registry

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(900)]

LADDER = build_ladder("tiny")
KILLED = "tasks"
"""Its smoke run has 6 steps, with a checkpoint after the third."""


def _start(root: Path, uri: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "omnireel.cli.main", "train", "ladder", "--smoke"]
    command += ["--out", str(root / "out"), "--cache", str(root / "cache"), "--mlflow", uri]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    output = (root / "output.txt").open("a")
    return subprocess.Popen(command, stdout=output, stderr=output, env=environment, text=True)


def _rows(root: Path, rung: str) -> list[dict[str, Any]]:
    path = root / "out" / rung / "run/metrics.jsonl"
    if not path.is_file():
        return []
    # The last line may be half written while the run goes on.
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def _kill_after_a_checkpoint(process: subprocess.Popen[str], root: Path) -> None:
    while not any(row["event"] == "checkpoint" for row in _rows(root, KILLED)):
        assert process.poll() is None, (root / "output.txt").read_text()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_ladder_goes_on_to_the_gate(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    _kill_after_a_checkpoint(_start(tmp_path, uri), tmp_path)
    before = _rows(tmp_path, KILLED)
    saved = max(row["step"] for row in before if row["event"] == "checkpoint")
    assert not (tmp_path / "out" / KILLED / "component").exists(), "the kill came too late"

    exit_code = _start(tmp_path, uri).wait()
    output = (tmp_path / "output.txt").read_text()
    assert exit_code == 0, output

    _check_steps(tmp_path, saved, before)
    _check_versions(tmp_path, uri)
    _check_gate(uri, output)


def _check_steps(root: Path, saved: int, before: list[dict[str, Any]]) -> None:
    for rung in LADDER.rungs:
        rows = _rows(root, rung.name)
        starts = [row["step"] for row in rows if row["event"] == "start"]
        assert starts == ([0, saved] if rung.name == KILLED else [0]), rung.name
        assert rows[-1]["event"] == "end" and "error" not in rows[-1]
    rows = _rows(root, KILLED)
    assert rows[: len(before)] == before
    again = [row["step"] for row in rows[len(before) :] if row["event"] == "train"]
    assert again and min(again) > saved
    steps = [row["step"] for row in rows if row["event"] == "checkpoint"]
    assert steps == sorted(set(steps)) and steps[-1] > saved


def _check_versions(root: Path, uri: str) -> None:
    versions = Registry.open(uri).versions()
    last = {rung.part: rung.name for rung in LADDER.rungs}
    for part in last:
        found = sorted((v for v in versions if v.kind == part), key=lambda v: v.number)
        # A rung that changed no weights makes no version of its own: a few steps of reinforcement
        # learning without any reward.
        made = dict.fromkeys(
            content_hash(verify(root / "out" / rung.name / "component"))
            for rung in LADDER.rungs
            if rung.part == part
        )
        assert [v.content_hash for v in found] == list(made)
        assert [v.number for v in found] == list(range(1, len(made) + 1))
        assert part == "enhancer" or len(made) == sum(r.part == part for r in LADDER.rungs)
    students = [rung for rung in LADDER.rungs if rung.teacher]
    assert {rung.part for rung in students} == {"generator", "upscaler"}
    for part in ("generator", "upscaler"):
        lineage = lineage_of(f"omnireel-tiny-smoke-{part}", tracking_uri=uri)
        seen, waiting = set(), [lineage.focus]
        while waiting:
            ref = waiting.pop()
            seen.add(ref)
            waiting += [p for p in lineage.parents(ref) if p not in seen]
        assert "omnireel-tiny-smoke-vae/1" in seen
        assert {run.parent_run for run in lineage.runs.values()} == {"ladder-tiny-smoke"}
        assert len([r for r in seen if "generator" in r]) == (9 if part == "generator" else 4)
    assert {p.name for p in (root / "out/model").iterdir()} == set(last)


def _check_gate(uri: str, output: str) -> None:
    registry = Registry.open(uri)
    for part in ("generator", "upscaler", "enhancer"):
        name = f"omnireel-tiny-smoke-{part}"
        assert registry.champion(name) is None
        newest = registry.named(name)[-1]
        assert newest.gate == "refused"
        assert any(line.startswith("failed: ") for line in newest.gate_reasons)
        assert f"{newest.ref}: not promoted" in output
        for line in newest.gate_reasons:
            assert line.partition(": ")[2] in output
    student = registry.named("omnireel-tiny-smoke-generator")[-1]
    assert any("against the teacher" in line for line in student.gate_reasons)
    assert "lower bound is not at least" in output
