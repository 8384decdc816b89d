"""Companions of a clip are opened too: what cannot be used, or is not its kind, keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omnireel.data.candidate import Companion
from omnireel.data.checks import Policy
from omnireel.data.curate.companions import decoded
from omnireel.data.curate.engine import CurateRequest, curate
from omnireel.data.curate.ledger import LEDGER, read_rows
from omnireel.errors import FailedPrecondition
from omnireel.types import MediaKind, Role
from tests.support.footage import damage, texture, write_video
from tests.support.inline import Inline


def png(path: Path) -> Path:
    Image.fromarray(texture(3, 1)[0]).save(path)
    return path


def as_text(path: Path) -> None:
    path.write_text("not a picture at all")


def as_video(path: Path) -> None:
    write_video(path.with_suffix(".mp4"), texture(1, 12)).rename(path)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(as_text, "it is a text file"), (as_video, "it holds a video, but its name says image")],
)
def test_a_clip_goes_with_its_bad_companion(
    spoil: Callable[[Path], None], why: str, tmp_path: Path, policy: Policy
) -> None:
    footage = tmp_path / "in"
    for seed, name in enumerate(("walk", "fine")):
        write_video(footage / f"{name}.mp4", texture(seed, 24))
        (footage / f"{name}.txt").write_text("Animate @FirstFrame.")
    png(footage / "fine.first_frame.png")
    spoil(footage / "walk.first_frame.png")
    curate(CurateRequest(str(footage), tmp_path / "out", policy), Inline())
    rows = {
        row["sample"]: row
        for row in read_rows(tmp_path / "out" / LEDGER)
        if row["check"] == "readable"
    }
    assert rows["fine.mp4"]["verdict"] == "kept"
    assert rows["walk.mp4"]["verdict"] == "rejected"
    assert rows["walk.mp4"]["reason"].startswith("@FirstFrame (first_frame): ")
    assert why in rows["walk.mp4"]["reason"]


def test_a_damaged_source_is_found(tmp_path: Path, policy: Policy) -> None:
    footage = tmp_path / "in"
    write_video(footage / "edit.mp4", texture(1, 24))
    (footage / "edit.txt").write_text("Make @Source brighter.")
    whole = write_video(tmp_path / "whole.mp4", texture(2, 48))
    damage(footage / "edit.source.mp4", whole, noise=True)
    with pytest.raises(FailedPrecondition, match="none of 1 samples passed"):
        curate(CurateRequest(str(footage), tmp_path / "out", policy), Inline())


def test_frames_of_a_companion_are_bounded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", texture(1, 300, (288, 384)))
    given = Companion("Motion", Role.MOTION, path, MediaKind.VIDEO)
    found = decoded(given)
    assert found.error == ""
    assert found.shown is not None
    count, height, width = found.shown.luma.shape
    assert count <= 96
    assert (height, width) == (144, 192)
    picture = decoded(replace(given, path=png(tmp_path / "a.png"), kind=MediaKind.IMAGE))
    assert picture.shown is not None
    assert np.array_equal(picture.shown.rgb[0], texture(3, 1)[0])
