"""Captions at four levels: checked, resumed, rate-limited."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omnireel.data.captioning.captioners import ModelCaptioner, SceneGraphCaptioner, scene_beside
from omnireel.data.captioning.checks import trouble_of, untruth_of
from omnireel.data.captioning.folder import LEVELS_FILE, caption_folder
from omnireel.data.captioning.levels import RULES
from omnireel.data.synthesis.folder import render_samples
from omnireel.enhancer.instructions import Shown
from omnireel.errors import FailedPrecondition, ResourceExhausted, Unavailable
from omnireel.media import write_png
from omnireel.types import VideoFormat
from omnireel.world.captions import caption

GOOD = {
    "terse": "A red ball rolls.",
    "short": "A red ball rolls slowly over the green grass.",
    "full": "A red ball rolls slowly over the green grass while the camera stands quite still.",
    "elaborate": "A shiny red ball rolls slowly over the green grass. Soft light falls from the "
    "left, and the camera stands still.",
}
FRAMES = np.zeros((5, 16, 16, 3), np.uint8)


class Model:
    """Answers each level's question with its good caption, after ``trouble``."""

    def __init__(self, *trouble: Exception | str) -> None:
        self.trouble, self.asked = list(trouble), 0
        self.pictures = 0

    def ask(self, system: str, shown: Iterator[Shown]) -> str:
        self.asked += 1
        pieces = list(shown)
        self.pictures = sum(piece.frame_HWC is not None for piece in pieces)
        if self.trouble:
            first = self.trouble.pop(0)
            if isinstance(first, Exception):
                raise first
            return first
        level = next(level for level, rule in RULES.items() if rule.ask == pieces[-1].text)
        return f"  {GOOD[level]}\n"


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_png(np.full((1, 16, 16, 3), ord(name), np.uint8), tmp_path / f"{name}.png")
    return tmp_path


def test_four_levels_are_written_and_kept(folder: Path) -> None:
    (folder / "b.txt").write_text("Words of a person.")
    model = Model()
    done = caption_folder(folder, ModelCaptioner(model, "m"))
    assert (done.written, done.kept, model.asked, model.pictures) == (2, 0, 8, 1)
    rows = [json.loads(line) for line in (folder / LEVELS_FILE).read_text().splitlines()]
    assert [row["file"] for row in rows] == ["a.png", "b.png"]
    assert {level: rows[0][level] for level in RULES} == GOOD
    assert (folder / "a.txt").read_text() == GOOD["full"]
    assert (folder / "b.txt").read_text() == "Words of a person."
    again = caption_folder(folder, ModelCaptioner(model, "m"))
    assert (again.written, again.kept, model.asked) == (0, 2, 8)


def test_texts_follow_their_captions_and_those_of_a_person_stay(folder: Path) -> None:
    (folder / "b.txt").write_text("Words of a person.")
    model = Model()
    assert caption_folder(folder, ModelCaptioner(model, "m")).foreign == ("b.txt",)
    done = caption_folder(folder, ModelCaptioner(model, "m"), "terse")
    assert (done.foreign, model.asked) == (("b.txt",), 8)
    assert (folder / "a.txt").read_text() == GOOD["terse"]

    for name in ("a", "b"):
        write_png(np.zeros((1, 16, 16, 3), np.uint8), folder / f"{name}.png")
    shiny = GOOD["full"].replace("red", "blue")
    model = Model(*(GOOD[level].replace("red", "blue") for level in RULES))
    assert caption_folder(folder, ModelCaptioner(model, "m")).written == 2
    assert (folder / "a.txt").read_text() == shiny
    assert (folder / "b.txt").read_text() == "Words of a person."


def test_words_of_other_content_do_not_stay(folder: Path) -> None:
    (folder / "b.png").unlink()
    caption_folder(folder, ModelCaptioner(Model(), "m"))
    write_png(np.zeros((1, 16, 16, 3), np.uint8), folder / "a.png")
    done = caption_folder(folder, ModelCaptioner(Model(*["Ball."] * 8), "m"))
    assert done.refused.keys() == {"a.png"}
    assert not (folder / "a.txt").exists()
    assert "a.png" not in (folder / LEVELS_FILE).read_text()


def test_files_that_cannot_have_captions_are_named_or_left_alone(folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    for name in ("line\u2028break.png", "latin\udcff.png", ".hidden.png"):
        (folder / name).write_bytes(data)
    (folder / "nowhere.mp4").symlink_to("nothing")
    (folder / "folder.mp4").mkdir()
    model = Model(*(GOOD[level].replace(" ", "\u2028", 1) for level in RULES))
    done = caption_folder(folder, ModelCaptioner(model, "m"))
    assert done.refused.keys() == {"'line\\u2028break.png'", "'latin\\udcff.png'"}
    assert "\u2028" in (folder / LEVELS_FILE).read_text()
    assert (done.written, caption_folder(folder, ModelCaptioner(model, "m")).kept) == (2, 2)


def test_what_is_done_is_kept_when_the_model_goes_away(folder: Path) -> None:
    first = Model()
    clock = Clock()

    class Fails(Model):
        def ask(self, system: str, shown: Iterator[Shown]) -> str:
            if self.asked >= 4:
                raise Unavailable("gone")
            return super().ask(system, shown)

    with pytest.raises(Unavailable):
        caption_folder(folder, ModelCaptioner(Fails(), "m", 0, clock.sleep, clock.now))
    assert clock.slept == [1.0, 2.0, 4.0, 8.0]
    done = caption_folder(folder, ModelCaptioner(first, "m"))
    assert (done.written, done.kept, first.asked) == (1, 1, 4)


def test_questions_keep_their_distance_and_wait_when_told() -> None:
    clock = Clock()
    model = Model(ResourceExhausted("busy", retry_after_s=7.0))
    writer = ModelCaptioner(model, "m", 30.0, clock.sleep, clock.now)
    writer.write(Path("a"), FRAMES, "terse")
    writer.write(Path("a"), FRAMES, "terse")
    assert model.asked == 3
    assert clock.slept == [7.0, 2.0]
    assert model.pictures == 4


def test_a_bad_caption_is_asked_for_again_and_then_refused(folder: Path) -> None:
    (folder / "b.png").unlink()
    done = caption_folder(folder, ModelCaptioner(Model("Ball."), "m"))
    assert done.written == 1
    (folder / "a.txt").unlink()
    (folder / LEVELS_FILE).unlink()
    worse = Model(*(["Here is the caption: a ball."] * 8))
    done = caption_folder(folder, ModelCaptioner(worse, "m"))
    assert done.refused == {"a.png": "terse: it is no plain sentence"}
    assert not (folder / "a.txt").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Ball.", "1 words"),
        ("Красный мяч катится по траве.", "English"),
        ('{"caption": "a red ball rolls"}', "plain sentence"),
        ("a ball @ b rolls on", ""),
        (GOOD["terse"], ""),
    ],
)
def test_captions_are_checked(text: str, why: str) -> None:
    found = trouble_of(text, "terse")
    assert why in found
    assert bool(why) == bool(found) or text.startswith("a ball @")


def test_a_scene_graph_tells_its_scene(tmp_path: Path) -> None:
    render_samples(tmp_path, ("C20",), 3, VideoFormat(64, 64, 5, 8.0))
    for path in tmp_path.glob("*.txt"):
        path.unlink()
    done = caption_folder(tmp_path, SceneGraphCaptioner(), beside="short")
    assert (done.written, dict(done.refused)) == (3, {})
    clip = tmp_path / "world-C20-000001.mp4"
    scene = scene_beside(clip)
    words = clip.with_suffix(".txt").read_text()
    assert words == caption(scene, "short", None)
    assert untruth_of(words, scene) == ""
    assert "is no word" in untruth_of(words + " A dinosaur.", scene)
    color = scene.bodies[0].material.color
    other = next(c for c in ("red", "blue") if c not in words)
    assert color in untruth_of(words.replace(color, other), scene)
    with pytest.raises(FailedPrecondition, match="no scene graph"):
        scene_beside(tmp_path / "none.mp4")
