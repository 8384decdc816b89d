"""Results survive; a folder has one plan and one process; a full disk is one line."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from omnireel.data.curate.state import WORK, State, open_state
from omnireel.errors import AlreadyExists, FailedPrecondition, IntegrityError, ResourceExhausted

PLAN = {"policy": "standard", "seed": 0}


def test_results_are_there_the_next_time(tmp_path: Path) -> None:
    with open_state(tmp_path / "out", PLAN) as state:
        state.put("measure", "a", "stamp", b"result", 1.5)
    with open_state(tmp_path / "out", PLAN) as state:
        assert state.get("measure", "a", "stamp") == b"result"
        assert not state.has("measure", "a", "other stamp")
        assert list(state.times()) == [("measure", "a", 1.5)]


def test_another_plan_is_refused_by_what_differs(tmp_path: Path) -> None:
    with open_state(tmp_path, PLAN):
        pass
    with (
        pytest.raises(AlreadyExists, match=r"seed 0, not 1"),
        open_state(tmp_path, {**PLAN, "seed": 1}),
    ):
        pass


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        open_state(tmp_path, PLAN),
        pytest.raises(FailedPrecondition, match="another process"),
        open_state(tmp_path, PLAN),
    ):
        pass


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with open_state(tmp_path, PLAN):
        connection = sqlite3.connect(tmp_path / WORK / "state.sqlite", isolation_level=None)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(ResourceExhausted, match="free some space"):
            State(connection, tmp_path).put("measure", "a", "s", bytes(1 << 20), 0)
        connection.close()


def test_a_damaged_state_says_what_to_do(tmp_path: Path) -> None:
    with open_state(tmp_path, PLAN):
        pass
    (tmp_path / WORK / "state.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(IntegrityError, match="start again"), open_state(tmp_path, PLAN):
        pass
