"""A component is trained again by its card alone, to the same weights."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.registry import verify

FRAMES = 'data.formats=[{"width": 32, "height": 32, "num_frames": 5, "fps": 8.0}]'
SMALL = (
    FRAMES, "data.count=4", "data.shard_samples=4", 'data.weights={"C20": 1.0}', "held_out=2",
    "previews=1", "batch_size=2", "trainer.num_steps=2", "trainer.validate_every=9",
)  # fmt: skip
VAE = (FRAMES, "data.count=4", "data.shard_clips=4", "held_out_per_format=1", "trainer.num_steps=2")

pytestmark = pytest.mark.timeout(900)

Omnireel = Callable[..., str]


@pytest.fixture
def omnireel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Omnireel:
    """Runs a command line in an empty folder, with the words that a shell would have given."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, settings: tuple[str, ...] = ()) -> str:
        arguments = [*words, *(word for setting in settings for word in ("--set", setting))]
        monkeypatch.setattr(sys, "argv", ["omnireel", *arguments])
        said = CliRunner().invoke(app, arguments)
        assert said.exit_code == 0, said.output
        return said.output

    return run


def test_two_ways_from_a_rung_and_their_mean(omnireel: Omnireel, tmp_path: Path) -> None:
    rungs = [f"vae.{setting}" for setting in VAE] + [f"images.{setting}" for setting in SMALL]
    omnireel(
        "train", "ladder", "--smoke", "--last", "images", "--out", "there", "--mlflow", "off",
        settings=tuple(rungs),
    )  # fmt: skip
    for way, rate in (("one", 0.01), ("two", 0.02)):
        omnireel(
            "train", "generator-debug", "--out", way, "--init-from", "there/images/component",
            "--mlflow", "off",
            settings=(*SMALL, "vae=there/vae/component", f"trainer.optimizer.muon_lr={rate}"),
        )  # fmt: skip
        omnireel("train", "export", way, f"{way}-component")
    omnireel("models", "average", "one-component", "two-component", "mean", "--share", "0.25")
    (tmp_path / "there/images").rename(tmp_path / "gone")
    for _ in range(2):  # the second time everything is done
        said = omnireel("train", "reproduce", "mean", "--out", "again")
    assert "runs:" not in said
    # The rung is told once, for both ways; its autoencoder is made on the way.
    assert sorted(p.name for p in (tmp_path / "again").glob("*-component")) == [
        "1-generator-debug-component",
        "1-keeper-component",
        "1-vae-component",
        "2-generator-debug-component",
        "3-generator-debug-component",
        "4-average-component",
    ]
    made = verify(tmp_path / "again/4-average-component")
    assert made["sha256"] == verify(tmp_path / "mean")["sha256"]
    assert made["after"] == {"first": 2, "second": 3} and made["earlier"][2]["after"] == {
        "start": 1
    }
    rung = verify(tmp_path / "again/1-generator-debug-component")
    assert rung["sha256"] == verify(tmp_path / "gone/component")["sha256"]
