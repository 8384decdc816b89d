"""Oracles that take the world itself as the yardstick: exact answers, unchanged and wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from omnireel.evaluate.judgement import Judgement, Viewer
from omnireel.evaluate.oracles import Oracle
from omnireel.evaluate.oracles.areas import BOX, JOINT, LAYOUT, MATTE, overlap
from omnireel.evaluate.oracles.candidates import ANGLE, EFFECT, ORDER, STYLE
from omnireel.evaluate.oracles.changes import CHANGES
from omnireel.evaluate.oracles.identity import CAST
from omnireel.evaluate.oracles.movement import MOTION, PATH, SOLVED
from omnireel.evaluate.oracles.pixels import CAP_DB
from omnireel.evaluate.perception import load_perception
from omnireel.types import Clip, VideoFormat
from omnireel.world.scene import STYLES
from omnireel.world.tasks import TaskSample, draw_plan, sample_task
from omnireel.world.tasks.plan import Plan

FORMAT = VideoFormat(64, 64, 9, 8.0 * 9 / 17)


@pytest.fixture(scope="module")
def viewer() -> Viewer:
    return Viewer(load_perception())


def case(capability: str, wanted: Callable[[Plan], bool] = lambda plan: True) -> TaskSample:
    plans = ((s, draw_plan(capability, s, FORMAT.duration_s, "train")) for s in range(200))
    return sample_task(capability, next(s for s, plan in plans if wanted(plan)), FORMAT)


def given(task: TaskSample) -> Clip:
    return next(clips[0] for name, clips in task.media.items() if name == "Video_1")


@pytest.mark.parametrize("effect", ["fire", "glow", "sparkles", "bubbles", "rain", "freeze"])
def test_effects_are_told_apart(viewer: Viewer, effect: str) -> None:
    task = case(
        "C9",
        lambda p: (
            effect in (p.scene.effect, p.scene.weather)
            or (effect == "freeze" and not p.scene.clock.pace)
        ),
    )
    assert EFFECT.score(Judgement(task.target, task, viewer)) == 1.0
    assert EFFECT.score(Judgement(given(task), task, viewer)) == 0.0


@pytest.mark.parametrize("style", [s for s in STYLES if s != "natural"])
def test_styles_are_told_apart(viewer: Viewer, style: str) -> None:
    task = case("C7", lambda plan: plan.scene.style == style)
    assert STYLE.score(Judgement(task.target, task, viewer)) == 1.0
    assert STYLE.score(Judgement(given(task), task, viewer)) == 0.0


def test_the_cast_of_a_given_frame_is_looked_for_in_the_whole_clip(viewer: Viewer) -> None:
    task, other = case("C18"), case("C18", lambda p: p.scene.bodies[0].kind == "star")
    right = CAST.score(Judgement(task.target, task, viewer))
    wrong = CAST.score(Judgement(other.target, task, viewer))
    assert right is not None and wrong is not None
    assert right > 0.8 and right > wrong + 0.2
    assert CAST.score(Judgement(task.target, case("C20"), viewer)) is None


def test_mattes_are_measured(viewer: Viewer) -> None:
    for ground in (True, False):
        task = case("C10", lambda p, g=ground: p.matte is not None and bool(p.matte.ground) is g)  # type: ignore[misc]
        right = MATTE.score(Judgement(task.target, task, viewer))
        wrong = MATTE.score(Judgement(given(task), task, viewer))
        assert right is not None and wrong is not None
        assert right > 0.85 and wrong < 0.5
    assert MATTE.score(Judgement(task.target, case("C20"), viewer)) is None


def test_angles_are_told_apart(viewer: Viewer) -> None:
    for angle in ("left", "above", "near"):
        task = case("C15", lambda p, a=angle: f" {a}" in p.text.replace("closer", "near"))  # type: ignore[misc]
        assert ANGLE.score(Judgement(task.target, task, viewer)) == 1.0
        assert ANGLE.score(Judgement(given(task), task, viewer)) == 0.0


def test_panels_must_come_in_order(viewer: Viewer) -> None:
    task = case("C24", lambda p: bool(p.cuts))
    assert ORDER.score(Judgement(task.target, task, viewer)) == 1.0
    backwards = Clip(task.target.frames_THWC[::-1])
    assert ORDER.score(Judgement(backwards, task, viewer)) == 0.0


def test_shots_meet_where_they_go_on(viewer: Viewer) -> None:
    for capability in ("C13", "C14"):
        task = case(capability, lambda p: p.scene.duration_s > FORMAT.duration_s)
        assert JOINT.score(Judgement(task.target, task, viewer)) == CAP_DB
        cut = case(capability, lambda p: p.scene.duration_s == FORMAT.duration_s)
        assert JOINT.score(Judgement(cut.target, cut, viewer)) is None


def test_changes_are_counted_one_by_one(viewer: Viewer) -> None:
    task = case("C21", lambda p: p.scene.style == "natural" and p.scene.weather == "clear")
    right, none = (
        CHANGES.score(Judgement(clip, task, viewer)) for clip in (task.target, given(task))
    )
    assert right is not None and none is not None
    assert right >= 0.5 and right > none


def plain(plan: Plan) -> bool:
    return plan.scene.style == "natural" and plan.scene.weather == "clear"


def test_paths_of_arrows_and_boxes_are_followed(viewer: Viewer) -> None:
    task = case("C22", lambda p: "arrow" in p.text and plain(p))
    right = PATH.score(Judgement(task.target, task, viewer))
    back = PATH.score(Judgement(Clip(task.target.frames_THWC[::-1]), task, viewer))
    assert right is not None and back is not None
    assert right > 0.7 and back < 0
    boxed = case("C22", lambda p: "arrow" not in p.text and plain(p))
    found = BOX.score(Judgement(boxed.target, boxed, viewer))
    assert found is not None and found > 0.5
    assert BOX.score(Judgement(task.target, replace(task), viewer)) is None or "box" in (
        task.prompt.text
    )


def test_drawn_shapes_are_where_they_were_drawn(viewer: Viewer) -> None:
    task = case("C25", plain)
    right = LAYOUT.score(Judgement(task.target, task, viewer))
    mirrored = Clip(np.roll(task.target.frames_THWC, 24, axis=2))
    moved = LAYOUT.score(Judgement(mirrored, task, viewer))
    assert right is not None and moved is not None
    assert right > 0.6 > 0.4 > moved


def test_only_the_whole_answer_solves_a_puzzle(viewer: Viewer) -> None:
    task = case("C23", lambda p: "paint" in p.text)
    assert SOLVED.score(Judgement(task.target, task, viewer)) == 1.0
    assert SOLVED.score(Judgement(case("C20").target, task, viewer)) == 0.0


def test_a_frozen_subject_is_asked_to_stand_still(viewer: Viewer) -> None:
    task = case("C9", lambda p: not p.scene.clock.pace and plain(p))
    assert MOTION.score(Judgement(task.target, task, viewer)) == 1.0


def test_overlap() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert overlap(a, b) == 1.0
    a[:2], b[1:3] = True, True
    assert overlap(a, b) == pytest.approx(4 / 12)


@pytest.mark.parametrize("oracle", [BOX, PATH])
def test_an_empty_scene_asks_nothing_of_subjects(viewer: Viewer, oracle: Oracle) -> None:
    task = case("C20")
    empty = replace(task, scene=replace(task.scene, bodies=()))
    assert oracle.score(Judgement(task.target, empty, viewer)) is None
