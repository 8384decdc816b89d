"""A component is trained again by the command in its card, to the same weights."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from omnireel.cli import train
from omnireel.registry import verify


def test_the_same_command_makes_the_same_weights(tmp_path: Path) -> None:
    cache, run, made = tmp_path / "cache", tmp_path / "run", tmp_path / "made"
    common = ["--cache", str(cache), "--mlflow", "off", "--set", "trainer.num_steps=2"]
    for arguments in (
        ["vae-debug", "--out", str(run), *common],
        ["export", str(run), str(made), "--cache", str(cache)],
    ):
        assert CliRunner().invoke(train.app, arguments).exit_code == 0
    # The command of the card is that of this process; a real one is the user's.
    card = made / "card.json"
    text = card.read_text()
    command = " ".join(["omnireel", "train", "vae-debug", "--out", "runs/vae", *common])
    recorded = verify(made)["command"]
    card.write_text(text.replace(_quoted(recorded), _quoted(command)))
    again = tmp_path / "again"
    for _ in range(2):  # the second time everything is done
        said = CliRunner().invoke(train.app, ["reproduce", str(made), "--out", str(again)])
        assert said.exit_code == 0, said.output
    assert "done: omnireel train vae-debug" in said.output
    found = verify(again / "1-vae-debug-component")["sha256"]
    assert found == verify(made)["sha256"]


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)
