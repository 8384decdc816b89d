"""The supervisor with ranks that are small scripts: what it finds, and what it does about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.train.supervise import Supervision, Supervisor, SupervisorConfig

RANK = """
import os, pathlib, signal, sys, time
run = pathlib.Path(sys.argv[1])
mode, rank = sys.argv[2], int(os.environ["RANK"])
assert int(os.environ["WORLD_SIZE"]) == 2 and os.environ["MASTER_PORT"].isdigit()
beats = pathlib.Path(os.environ["OMNIREEL_HEARTBEAT"])
beats.parent.mkdir(exist_ok=True)
signal.signal(signal.SIGUSR1, lambda *_: print("stacks", flush=True))
def beat(step, within=30.0):
    beats.write_text(f"step {step} {time.monotonic():.3f} {within:.3f}")
beat(0)
saved = run / "saved"
first = sys.argv[3] == "False"
if first:
    if rank == 0:
        saved.write_text("step_1")
    while not saved.exists():
        time.sleep(0.01)
    if rank == 1 and mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1 and mode == "hangs":
        beat(3, within=0.2)
        time.sleep(600)
if rank == 1 and mode == "wrong":
    sys.exit(2)
if rank == 0 and mode == "fails":
    sys.exit(1)
if first and mode != "fine":
    beat(4)
    time.sleep(600)
beat(9)
"""


def _supervise(tmp_path: Path, mode: str, said: list[str]) -> Supervision:
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    run = tmp_path / "run"
    return Supervisor(
        SupervisorConfig(2, max_restarts=1, poll_s=0.02),
        run,
        lambda again: [sys.executable, str(script), str(run), mode, str(again)],
        lambda: (run / "saved").read_text() if (run / "saved").exists() else None,
        environment={},
        say=said.append,
    ).work()


def _events(tmp_path: Path) -> list[str]:
    rows = (tmp_path / "run" / "restarts.jsonl").read_text().splitlines()
    return [json.loads(row)["event"] for row in rows]


def test_ranks_that_end_well_are_done(tmp_path: Path) -> None:
    said: list[str] = []
    result = _supervise(tmp_path, "fine", said)
    assert not result.failures and not said and _events(tmp_path) == ["start", "done"]


def test_a_killed_rank_ends_all_and_all_start_again(tmp_path: Path) -> None:
    said: list[str] = []
    result = _supervise(tmp_path, "killed", said)
    assert [(f.rank, f.reason) for f in result.failures] == [(1, "rank 1 was killed by signal 9")]
    assert _events(tmp_path) == ["start", "failure", "start", "done"]
    assert "starting again from step_1" in said[0]


def test_the_rank_that_hangs_is_named_and_shows_its_stacks(tmp_path: Path) -> None:
    result = _supervise(tmp_path, "hangs", [])
    assert [(f.rank, f.step) for f in result.failures] == [(1, 3)]
    assert result.failures[0].reason == "rank 1 hangs after 'step'"
    assert "stacks" in (tmp_path / "run" / "logs" / "rank_00001.log").read_text()


def test_mistakes_are_not_tried_again_and_failures_not_for_ever(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="rank 1 ended with status 2"):
        _supervise(tmp_path, "wrong", [])
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(FailedPrecondition, match="gave up after 2 failures"):
        _supervise(other, "fails", [])


def test_what_counts_of_the_time_is_said_and_kept(tmp_path: Path) -> None:
    """Of a run that goes on, only what this supervisor added."""
    run = tmp_path / "run"
    _checkpoint(run, "step_00000001", elapsed_s=100.0)
    script = "import json, pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    state = run / "checkpoints" / "step_00000001" / "state.json"
    said: list[str] = []
    result = Supervisor(
        SupervisorConfig(1, poll_s=0.02),
        run,
        lambda again: [sys.executable, "-c", script, str(state), '{"elapsed_s": 100.01}'],
        lambda: "step_1",
        environment={},
        say=said.append,
    ).work()
    assert result.trained_s == pytest.approx(0.01)
    assert result.effective == pytest.approx(0.01 / result.wall_s)
    assert len(said) == 1 and said[0].startswith("effective training time ")
    last = json.loads((run / "restarts.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "done" and last["trained_s"] == pytest.approx(0.01)
    assert last["wall_s"] == result.wall_s


def _checkpoint(run: Path, name: str, *, elapsed_s: float) -> None:
    (run / "checkpoints" / name).mkdir(parents=True)
    (run / "checkpoints" / "latest").write_text(name)
    (run / "checkpoints" / name / "state.json").write_text(json.dumps({"elapsed_s": elapsed_s}))
