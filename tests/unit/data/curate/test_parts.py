"""A curation in parts ends in the same bytes as one in one go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.data.checks import Policy
from omnireel.data.curate.engine import CurateRequest, curate, measure_part
from omnireel.data.shards import ShardWriterConfig
from omnireel.errors import AlreadyExists, InvalidInput, NotFound
from tests.support.inline import Inline


def shards_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in files if path.name != "times.parquet"}


def test_parts_are_gathered_and_nothing_is_measured_twice(
    footage: Path, tmp_path: Path, policy: Policy
) -> None:
    whole = CurateRequest(str(footage), tmp_path / "whole", policy)
    curate(whole, Inline())
    parts = [tmp_path / f"parts/{number}-of-3" for number in (1, 2, 3)]
    counts = [
        measure_part(replace(whole, out=out), number, 3, Inline())
        for number, out in enumerate(parts, 1)
    ]
    assert sum(counts) > 3 and all(counts)
    merged, executor = replace(whole, out=tmp_path / "merged"), Inline()
    curate(merged, executor, parts=parts)
    assert not [task for task in executor.ran if task[0] == "measure"]
    assert shards_of(tmp_path / "merged") == shards_of(tmp_path / "whole")

    # A part that is missing is measured here; one of something else is refused.
    executor = Inline()
    curate(replace(whole, out=tmp_path / "again"), executor, parts=parts[:2])
    assert [task for task in executor.ran if task[0] == "measure"]
    assert shards_of(tmp_path / "again") == shards_of(tmp_path / "whole")
    other = replace(whole, out=tmp_path / "other", shards=ShardWriterConfig(seed=1))
    with pytest.raises(AlreadyExists, match="is not part of this curation"):
        curate(other, Inline(), parts=parts)
    with pytest.raises(AlreadyExists, match="is not part"):
        curate(replace(whole, out=tmp_path / "more"), Inline(), parts=[tmp_path / "whole"])
    with pytest.raises(NotFound, match="holds no part"):
        curate(replace(whole, out=tmp_path / "none"), Inline(), parts=[tmp_path])
    with pytest.raises(InvalidInput, match="no part 4 of 3"):
        measure_part(replace(whole, out=tmp_path / "four"), 4, 3, Inline())


def test_a_part_is_written_in_words(tmp_path: Path) -> None:
    words = ["data", "curate", str(tmp_path), str(tmp_path / "out"), "--part", "2/8"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and "2-of-8" in result.output


def test_help_shows_brackets_as_they_are() -> None:
    result = CliRunner().invoke(app, ["data", "curate", "--help"], env={"COLUMNS": "200"})
    assert "pip install 'omnireel[ray]'" in result.output
