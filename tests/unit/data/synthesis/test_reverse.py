"""Derived samples: the target untouched, and inputs that tell no more of it than they must."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omnireel.data.bench.filming import Filming, film, film_with_truth
from omnireel.data.synthesis.erase import erase, grown, margin_of
from omnireel.data.synthesis.expert import load_expert
from omnireel.data.synthesis.folder import SynthesisConfig, render_samples, synthesise
from omnireel.data.synthesis.looks import color_name, recolored
from omnireel.data.synthesis.reverse import Natural, elements, reverse
from omnireel.data.synthesis.segment import find_subject
from omnireel.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound
from omnireel.media import read_clip, read_image, write_mp4
from omnireel.types import Clip, Frames, VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.scene import Body, Material, Motion, Scene
from omnireel.world.truth import render_truth
from tests.support.footage import write_video

FORMAT = VideoFormat(96, 96, 9, 8.0)
SCENE = Scene((Body("a", "cube", Material("red"), size=0.8, motion=Motion("move_right")),), "city")


@pytest.fixture(scope="module")
def frames() -> Frames:
    return render_clip(SCENE, FORMAT)


@pytest.fixture(scope="module")
def mask(frames: Frames) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return render_truth(SCENE, FORMAT).masks["a"]


@pytest.fixture
def folder(tmp_path: Path, frames: Frames) -> Path:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_mp4(Clip(frames, 8.0), clips / "walk.mp4")
    (clips / "walk.txt").write_text("A red cube slides to the right in the city.")
    return clips


def natural(frames: Frames, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Natural:
    return Natural("walk", Path("walk.mp4"), "0a" * 32, Clip(frames, 8.0), "A cube.", mask)


def test_what_is_erased_has_no_influence(frames: Frames, mask: np.ndarray) -> None:
    hole = grown(mask, margin_of(frames))
    other = frames.copy()
    other[hole] = np.random.default_rng(0).integers(0, 255, (int(hole.sum()), 3), np.uint8)
    assert np.array_equal(erase(frames, hole), erase(other, hole))
    assert np.array_equal(erase(frames, hole)[~hole], frames[~hole])
    empty = render_clip(replace(SCENE, bodies=()), FORMAT)
    gap = np.abs(erase(frames, hole)[mask].astype(int) - empty[mask]).mean()
    assert gap < 0.35 * np.abs(frames[mask].astype(int) - empty[mask]).mean()


def test_the_place_comes_from_frames_that_see_it_under_a_moving_camera() -> None:
    config = Filming(width=240, height=160, things=1, size=0.26, pan=(0.14, 0.02), noise=0.0)
    filmed, truth = film_with_truth(np.random.default_rng(8), config)
    empty = film(np.random.default_rng(8), replace(config, things=0))
    hole = grown(truth, margin_of(filmed))
    gap = np.abs(erase(filmed, hole)[hole].astype(int) - empty[hole])
    assert np.median(gap) <= 4
    other = filmed.copy()
    other[hole] = 255 - other[hole]
    assert np.array_equal(erase(filmed, hole), erase(other, hole))


def test_an_element_shows_nothing_of_the_place(frames: Frames, mask: np.ndarray) -> None:
    other = frames.copy()
    other[~mask] = 17
    a, b = (elements(natural(f, mask)) for f in (frames, other))
    assert len(a) == 3
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_first_frame_shows_only_the_first_frame(frames: Frames, mask: np.ndarray) -> None:
    (sample,) = reverse(natural(frames, mask), ("first",))
    assert np.array_equal(read_image(sample.inputs[0].data).frames_THWC, frames[:1])


def test_the_moving_subject_is_found(frames: Frames, mask: np.ndarray) -> None:
    subject = find_subject(frames)
    assert subject is not None
    found = subject.mask_THW
    assert (found & mask).sum() / (found | mask).sum() > 0.5
    still = np.repeat(frames[:1], 9, 0)
    assert find_subject(still) is None


def test_a_colour_gets_another_name(frames: Frames, mask: np.ndarray) -> None:
    assert color_name(frames, mask) == "red"
    blue = recolored(frames, mask, "blue")
    assert color_name(blue, mask) == "blue"
    assert np.array_equal(blue[~mask], frames[~mask])


def test_targets_are_the_files_of_the_person_bit_by_bit(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = synthesise(folder, out, SynthesisConfig(licence="CC0-1.0"))
    assert made.made == 9
    assert not made.left_out
    original = hashlib.sha256((folder / "walk.mp4").read_bytes()).hexdigest()
    for path in out.glob("walk-*.lineage.json"):
        facts = json.loads(path.read_text())
        ((target, digest),) = facts["target"].items()
        assert hashlib.sha256((out / target).read_bytes()).hexdigest() == digest
        if facts["made_by"].startswith("reverse/"):
            assert digest == original == facts["of_sha256"]
        assert facts["licence"] == "CC0-1.0"
    source = read_clip(out / "walk-add.source-Source.mp4").frames_THWC
    assert source.shape == (9, 96, 96, 3)
    assert (
        "walk-add.mp4,CC0-1.0,omnireel data synthesise: reverse/add"
        in (out / "sources.csv").read_text()
    )


def test_the_same_call_goes_on_and_other_settings_are_refused(folder: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    config = SynthesisConfig(("first", "sketch"))
    synthesise(folder, whole, config)
    synthesise(folder, parts, config)
    for name in (".walk.done", "walk-sketch.lineage.json", "walk-sketch.mp4", "sources.csv"):
        (parts / name).unlink()
    synthesise(folder, parts, config)
    assert {p.name: p.read_bytes() for p in whole.iterdir()} == {
        p.name: p.read_bytes() for p in parts.iterdir()
    }
    with pytest.raises(AlreadyExists, match="other settings"):
        synthesise(folder, parts, SynthesisConfig(("first",)))


def test_work_of_another_folder_or_licence_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    synthesise(folder, out, SynthesisConfig(("first",), licence="CC-BY-4.0"))
    with pytest.raises(AlreadyExists, match=r"other settings \(licence\)"):
        synthesise(folder, out, SynthesisConfig(("first",), licence="PROPRIETARY"))
    shutil.copytree(folder, tmp_path / "more")
    with pytest.raises(AlreadyExists, match=r"other settings \(from\)"):
        synthesise(tmp_path / "more", out, SynthesisConfig(("first",), licence="CC-BY-4.0"))


def test_a_changed_caption_or_clip_gives_new_samples(folder: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "out", SynthesisConfig(("add", "first"))
    assert synthesise(folder, out, config).made == 2
    (folder / "walk.txt").write_text("A red cube moves.")
    synthesise(folder, out, config)
    assert (out / "walk-first.txt").read_text() == "Animate @Start. A red cube moves."

    still = np.full((5, 64, 64, 3), 90, np.uint8)
    write_mp4(Clip(still, 8.0), folder / "walk.mp4")
    done = synthesise(folder, out, config)
    assert (done.made, done.left_out.keys()) == (1, {"walk.mp4"})
    assert (out / "walk-first.mp4").read_bytes() == (folder / "walk.mp4").read_bytes()
    assert not list(out.glob("walk-add*")), "what moved is gone, and so are samples about it"
    assert synthesise(folder, out, config).left_out == done.left_out


def test_clips_whose_samples_would_share_a_name_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "a").mkdir()
    for name in ("a/b", "a_b"):
        shutil.copyfile(folder / "walk.mp4", folder / f"{name}.mp4")
        (folder / f"{name}.txt").write_text("A cube.")
    shutil.copyfile(folder / "walk.mp4", folder / "walk.m4v")
    with pytest.raises(InvalidInput) as caught:
        synthesise(folder, tmp_path / "out", SynthesisConfig(("first",)))
    assert {v.field: v.description for v in caught.value.violations} == {
        "a_b.mp4": "its samples would be named as a/b.mp4's; rename one",
        "walk.mp4": "its samples would be named as walk.m4v's; rename one",
    }


@pytest.mark.parametrize("suffix", ["ts", "avi", "m4v", "gif"])
def test_every_format_of_clips_is_taken(tmp_path: Path, frames: Frames, suffix: str) -> None:
    codec = {"gif": "gif", "avi": "mpeg4"}.get(suffix, "libx264")
    write_video(tmp_path / f"clips/walk.{suffix}", frames, 8, codec)
    (tmp_path / "clips/walk.txt").write_text("A red cube slides.")
    assert synthesise(tmp_path / "clips", tmp_path / "out", SynthesisConfig(("first",))).made == 1
    assert (tmp_path / f"out/walk-first.{suffix}").is_file()


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    write_mp4(Clip(np.zeros((5, 32, 32, 3), np.uint8)), folder / "dark.mp4")
    with pytest.raises(InvalidInput, match=r"dark\.mp4: has no caption"):
        synthesise(folder, tmp_path / "out", SynthesisConfig())
    with pytest.raises(InvalidInput, match="unknown kind 'colour'"):
        SynthesisConfig(("colour",))
    with pytest.raises(NotFound, match="there is no folder"):
        synthesise(tmp_path / "none", tmp_path / "out", SynthesisConfig())


def test_a_model_of_ones_own_edits_by_instruction(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--expert"):
        load_expert(None)
    with pytest.raises(NotFound):
        load_expert(tmp_path / "none.py")
    broken = tmp_path / "broken.py"
    broken.write_text("raise RuntimeError('no weights')")
    with pytest.raises(FailedPrecondition, match="no weights"):
        load_expert(broken)
    expert = tmp_path / "negative.py"
    expert.write_text(
        "class Negative:\n    name = 'negative'\n"
        "    def edit(self, frames, instruction):\n        return 255 - frames\n"
        "def open_expert():\n    return Negative()\n"
    )
    config = SynthesisConfig(("first",), ("Invert the colors",))
    synthesise(folder, tmp_path / "out", config, load_expert(expert))
    target = read_clip(tmp_path / "out" / "walk-expert0.mp4").frames_THWC
    before = read_clip(folder / "walk.mp4").frames_THWC
    assert np.abs(target.astype(int) + before - 255).mean() < 6
    words = (tmp_path / "out" / "walk-expert0.txt").read_text()
    assert words == "Invert the colors in @Source, keep everything else."


def test_the_world_renders_samples_with_their_scene(tmp_path: Path) -> None:
    made = render_samples(tmp_path / "w", ("C2", "C8"), 2, VideoFormat(64, 64, 5, 8.0))
    assert made.made == 4
    names = {path.name for path in (tmp_path / "w").iterdir()}
    assert "world-C8-000001.source-Video_1.mp4" in names
    assert sum(name.startswith("world-C2-000000.element-") for name in names) == 3
    facts = json.loads((tmp_path / "w" / "world-C8-000000.lineage.json").read_text())
    assert facts["scene"]["bodies"]
    with pytest.raises(InvalidInput, match="unknown capability"):
        render_samples(tmp_path / "x", ("C99",), 1, VideoFormat(64, 64, 5, 8.0))
