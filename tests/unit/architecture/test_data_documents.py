"""The commands of docs/data-synthesis.md that need nothing run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app

PAGE = (Path(__file__).parents[3] / "docs/data-synthesis.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("omnireel ")
]


def test_the_walk_without_footage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in COMMANDS[:2]:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "play").glob("*.lineage.json"))) == 12
    footage = tmp_path / "footage"
    footage.mkdir()
    for path in (tmp_path / "play").glob("world-C20-*"):
        if path.suffix in (".mp4", ".txt"):  # clips of the world serve as footage
            (footage / path.name).write_bytes(path.read_bytes())
    derive = next(words for words in COMMANDS if "first_frames" in words)
    given = ["footage" if word == "my_clips" else word for word in derive]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "first_frames").glob("*-sketch.mp4"))) == 4
