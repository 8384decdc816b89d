"""One pass: what is decoded, how much is kept, where shots end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omnireel.data.candidate import BURST_FRAMES, MAX_BURSTS, MAX_DETAILS, MAX_FRAMES, FileFacts
from omnireel.data.checks.policy import ShotConfig
from omnireel.data.curate.keeper import EvenKeeper
from omnireel.data.curate.reading import ReadShot, read_file
from omnireel.data.curate.shots import CutFinder
from omnireel.data.pictures import Drawn
from omnireel.types import Frames
from tests.support.footage import damage, texture, write_video


def read(path: Path, shots: ShotConfig | None = None) -> tuple[FileFacts, list[ReadShot]]:
    found: list[ReadShot] = []
    return read_file(path, shots or ShotConfig(), found.append), found


@pytest.mark.parametrize("count", [1, 4, 5, 9, 16, 100])
def test_a_keeper_is_even_and_bounded(count: int) -> None:
    keeper: EvenKeeper[int] = EvenKeeper(4)
    for number in range(count):
        keeper.add(number)
    assert len(keeper.kept) <= 4
    assert keeper.kept[0] == 0
    assert len(set(np.diff(keeper.kept))) <= 1
    assert keeper.kept[-1] >= count / 2 or count == 1


def test_facts_and_frames_of_a_clip(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", texture(1, 72), fps=24, tone=True)
    facts, (shot,) = read(path)
    assert (facts.width, facts.height, facts.packets) == (128, 96, 72)
    assert facts.fps == pytest.approx(24, rel=0.01)
    assert facts.said_s == pytest.approx(3, abs=0.1)
    assert facts.decoded < facts.packets, "not every frame is decoded"
    assert facts.audio is not None
    assert not facts.audio.broken
    assert shot.frames.frames_THWC.shape == (24, 96, 128, 3)
    assert np.diff(shot.frames.times_s) == pytest.approx(1 / 8, abs=1 / 23)
    for times in shot.frames.burst_times_s:
        assert len(times) == BURST_FRAMES
        assert np.diff(times) == pytest.approx(1 / 24, abs=0.002), "neighbours, none left out"
    assert shot.shot.seconds == pytest.approx(3, abs=0.1)


def test_memory_is_bounded_whatever_the_length(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", np.tile(texture(1, 60), (8, 1, 1, 1)), fps=12)
    facts, (shot,) = read(path, ShotConfig(split=False))
    assert facts.seen_s == pytest.approx(40, abs=0.1)
    assert len(shot.frames.frames_THWC) <= MAX_FRAMES
    assert len(shot.frames.bursts) <= MAX_BURSTS
    assert len(shot.frames.details) <= MAX_DETAILS
    pieces = read(path, ShotConfig(max_seconds=10))[1]
    assert [round(p.shot.seconds) for p in pieces] == [10] * 4


def pan(seed: int, count: int) -> Frames:
    """A camera that turns quickly."""
    wide = texture(seed, 1, (96, 640))[0]
    return np.stack([wide[:, 6 * t : 6 * t + 128] for t in range(count)])


def test_cuts_are_found_and_fast_pans_are_none() -> None:
    finder = CutFinder(ShotConfig().cut)
    film = np.concatenate([pan(3, 20), pan(4, 20), texture(5, 20)])
    assert [t for t, frame in enumerate(film) if finder.is_cut(Drawn(frame))] == [20, 40]


def test_a_cut_off_file_says_so(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", texture(2, 48))
    facts, _ = read(damage(tmp_path / "half.mkv", whole, keep=0.5))
    assert facts.packets < 48
    noisy, _ = read(damage(tmp_path / "noisy.mkv", whole, noise=True))
    assert noisy.corrupt > 0 or noisy.error or noisy.packets < 48
