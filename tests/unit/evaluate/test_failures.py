"""Worst cases of components that are known to fail, and cards that show them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.evaluate.cases import CaseConfig
from omnireel.evaluate.failures import Failures, failures_png, record_failures
from omnireel.evaluate.failures.decoded import worst_decoded
from omnireel.evaluate.failures.enlarged import worst_enlarged
from omnireel.registry import verify
from omnireel.registry.card import card_markdown
from omnireel.shipped import SHIPPED_TINY
from omnireel.types import VideoFormat
from tests.support.engines.random_weights import save_random_weights

CONFIG = CaseConfig(("C20",), count=3, held_out_share=0.0, format=VideoFormat(32, 32, 5, 8.0))


def _decibels(failures: Failures) -> list[float]:
    return [float(label.split(" dB")[0].removeprefix("bodies ")) for label, _ in failures.rows]


def test_what_comes_back_worst_is_first(tmp_path: Path) -> None:
    weights = save_random_weights(tmp_path)
    decoded = worst_decoded(weights / "vae", 2, CONFIG)
    assert len(decoded.rows) == 2 and _decibels(decoded) == sorted(_decibels(decoded))
    enlarged = worst_enlarged(weights / "upscaler", weights / "vae", 2, CONFIG)
    assert len(enlarged.rows) == 2 and _decibels(enlarged) == sorted(_decibels(enlarged))
    # Small, enlarged, result and truth, with room between them.
    pictures = enlarged.rows[0][1]
    assert len(pictures) == 7 and {p.shape for p in pictures[::2]} == {pictures[0].shape}


def test_a_card_shows_picture_and_table(tmp_path: Path) -> None:
    vae = save_random_weights(tmp_path) / "vae"
    before = verify(vae)["sha256"]
    rows = [("a clip", np.zeros((3, 8, 8, 3), np.uint8))]
    failures = Failures("Two of nine.", rows, [("Asked", "Got"), ("a|b", "c")])
    record_failures(vae, failures, "omnireel eval failures x")
    card = verify(vae)
    assert card["sha256"] == before
    text = (vae / "README.md").read_text()
    assert "Two of nine." in text and "](failures.png)" in text and r"| a\|b | c |" in text
    assert (vae / "failures.png").read_bytes() == failures_png(failures)


def test_a_picture_of_what_an_enhancer_fails_at_is_refused(tmp_path: Path) -> None:
    picture = tmp_path / "worst.png"
    words = ["eval", "failures", str(SHIPPED_TINY / "enhancer"), "--out", str(picture)]
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 2
    assert "leave --out out" in " ".join(said.output.split())
    assert not picture.exists()


SHOWN = ("enhancer", "generator", "teacher", "upscaler", "vae")


@pytest.mark.parametrize("name", SHOWN)
def test_shipped_cards_show_failures_in_small_files(name: str) -> None:
    folder = SHIPPED_TINY / name
    card = json.loads((folder / "card.json").read_text())
    assert (folder / "README.md").read_text() == card_markdown(card)
    failures = card["failures"]
    assert failures["command"].startswith(f"omnireel eval failures omnireel/weights/tiny/{name} ")
    if name == "enhancer":
        assert len(failures["table"]) > 3
        return
    data = (folder / failures["picture"]).read_bytes()
    assert len(data) < 150_000 and Image.open(io.BytesIO(data)).width >= 480
