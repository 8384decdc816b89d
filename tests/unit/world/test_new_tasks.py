"""Effects, mattes, shots, angles, marks, puzzles, storyboards and sketches are what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnireel.types import Role, VideoFormat
from omnireel.world.drawings import INK, draw_arrow, draw_box
from omnireel.world.matte import cut_out
from omnireel.world.palette import albedo
from omnireel.world.scene import Body, Camera, Clock, Material, Motion, Scene
from omnireel.world.tasks import TaskSample, draw_plan, sample_task
from omnireel.world.tasks.film import first_box, panel_frames, scene_at
from omnireel.world.tasks.groups.reasoning import COLOR_OF, MIXED, OPPOSITE
from omnireel.world.tasks.plan import Marked, Matte, Plan
from omnireel.world.truth import render_truth

FORMAT = VideoFormat(48, 40, 9, 4.0)
DURATION_S = FORMAT.duration_s


def plans(capability: str, count: int = 30) -> list[tuple[int, Plan]]:
    return [(s, draw_plan(capability, s, DURATION_S, "train")) for s in range(count)]


def sample(capability: str, seed: int) -> TaskSample:
    return sample_task(capability, seed, FORMAT)


def source_of(plan: Plan) -> Scene:
    assert plan.source_scene is not None
    return plan.source_scene


def test_an_effect_is_all_that_changes() -> None:
    seen = set()
    for _, plan in plans("C9"):
        source, scene = source_of(plan), plan.scene
        undone = replace(
            scene, effect="none", effect_on="", weather=source.weather, clock=source.clock
        )
        assert undone == source != scene
        seen.add(scene.effect if scene.effect != "none" else scene.weather)
    assert {"fire", "glow", "sparkles", "bubbles", "rain"} <= seen


def test_a_frozen_clip_repeats_its_first_frame() -> None:
    seed = next(s for s, plan in plans("C9") if not plan.scene.clock.pace)
    task = sample("C9", seed)
    frames = task.target.frames_THWC
    assert (frames == task.media["Video_1"][0].frames_THWC[:1]).all()
    assert task.edit_mask_THW is not None and not task.edit_mask_THW[0].all()


def test_a_clock_shows_another_part_of_the_same_time() -> None:
    ball = Body("a", "ball", Material("red"), motion=Motion("move_right"))
    scene = Scene((ball,), duration_s=2 * DURATION_S)
    whole = VideoFormat(48, 40, 18, 4.0)
    late = replace(scene, clock=Clock(DURATION_S))
    long, short = render_truth(scene, whole), render_truth(late, FORMAT)
    assert np.array_equal(long.masks["a"][9:], short.masks["a"])


@pytest.mark.parametrize("ground", ["", "green"])
def test_a_matte_is_the_subject_and_nothing_else(ground: str) -> None:
    seed = next(s for s, p in plans("C10") if p.matte and bool(p.matte.ground) == bool(ground))
    task = sample("C10", seed)
    mask, frames = task.matte_THW, task.target.frames_THWC
    assert mask is not None and 0.005 < mask.mean() < 0.6
    assert task.edit_mask_THW is not None
    body = draw_plan("C10", seed, DURATION_S, "train").matte
    assert isinstance(body, Matte)
    exact = render_truth(task.scene, FORMAT).masks[body.bodies[0]]
    assert (mask != exact).mean() < 0.005
    away = np.abs(frames.astype(int) - np.median(frames[~mask], axis=0)).max(-1)
    assert (away[~mask] < 200).all() and (away[mask] > 10).mean() > 0.9
    if not ground:
        assert (frames[mask] >= 127).all() and (frames[~mask] <= 128).all()


def test_a_matte_has_a_hole_where_another_body_stands_before_it() -> None:
    back = Body("a", "cube", Material("red"), size=1.2)
    front = Body("b", "ball", Material("blue"), size=0.7, position=(0.0, 0.0, 1.0))
    alone, pair = Scene((back,)), Scene((back, front))
    fmt = VideoFormat(48, 48, 1, 8.0)
    _, whole = cut_out(alone, fmt, ("a",), albedo("green"))
    _, holed = cut_out(pair, fmt, ("a",), albedo("green"))
    assert (holed <= whole + 1e-4).all() and holed.sum() < 0.8 * whole.sum()
    assert cut_out(replace(pair, bodies=()), fmt, ("a",), albedo("green"))[1].max() == 0


def test_subjects_on_plain_ground_keep_their_pixels() -> None:
    seed = next(s for s, p in plans("C10") if p.matte and p.matte.ground)
    task = sample("C10", seed)
    assert task.edit_mask_THW is not None and task.matte_THW is not None
    kept = ~task.edit_mask_THW
    assert kept.sum() > 0.3 * task.matte_THW.sum()
    assert not (kept & ~task.matte_THW).any()


def test_several_images_give_what_is_new() -> None:
    kinds = set()
    for _, plan in plans("C11"):
        source, scene = source_of(plan), plan.scene
        assert [g.role for g in plan.given] == [Role.SOURCE, Role.REFERENCE, Role.REFERENCE]
        shown = [b for g in plan.given[1:] for s in g.shots for b in s.scene.bodies]  # type: ignore[union-attr]
        new = [b for b in scene.bodies if b not in source.bodies]
        assert [(b.kind, b.material) for b in shown] == [(b.kind, b.material) for b in new]
        kinds.add((len(source.bodies), len(scene.bodies), source.place == scene.place))
    assert kinds == {(2, 2, True), (1, 2, True), (1, 1, False)}


@pytest.mark.parametrize(("capability", "end"), [("C13", 0), ("C14", -1)])
def test_shots_go_on_where_the_given_one_ends(capability: str, end: int) -> None:
    going = [s for s, p in plans(capability) if p.scene.clock != source_of(p).clock]
    assert 8 < len(going) < 22
    plan = draw_plan(capability, going[0], DURATION_S, "train")
    early, late = (plan.scene, source_of(plan)) if end else (source_of(plan), plan.scene)
    assert early.clock.start_s == 0 and late.clock.start_s == DURATION_S
    assert replace(late, clock=early.clock) == early


@pytest.mark.parametrize("capability", ["C13", "C14"])
def test_cuts_keep_cast_and_place(capability: str) -> None:
    def cast(scene: Scene) -> list[tuple[object, ...]]:
        return [(b.kind, b.material, b.skin, b.wears) for b in scene.bodies]

    for _, plan in plans(capability):
        source, scene = source_of(plan), plan.scene
        assert cast(scene) == cast(source)
        kept = ("place", "weather", "style", "effect", "seed")
        assert all(getattr(scene, k) == getattr(source, k) for k in kept)
        if scene.clock == source.clock:
            assert scene.bodies[0].motion.kind != source.bodies[0].motion.kind


def test_an_angle_moves_nothing_but_the_camera() -> None:
    for _, plan in plans("C15"):
        source = source_of(plan)
        assert replace(plan.scene, camera=source.camera) == source != plan.scene
        assert plan.given[0].role is Role.REFERENCE


def test_two_to_four_changes() -> None:
    counts = set()
    for _, plan in plans("C21"):
        source, scene = source_of(plan), plan.scene
        changed = [
            k for k in ("place", "weather", "style", "effect") if vars(source)[k] != vars(scene)[k]
        ]
        counts.add(
            len(changed)
            + (len(source.bodies) != len(scene.bodies))
            + (source.bodies[0] != scene.bodies[0])
        )
    assert counts == {2, 3, 4}


def test_arrows_and_boxes_are_where_bodies_go_and_stand() -> None:
    boxed = arrowed = 0
    for _, plan in plans("C22"):
        (mark,) = plan.given[0].shots
        assert isinstance(mark, Marked) and (mark.arrows or mark.boxes)
        truth = render_truth(plan.scene, FORMAT)
        for body_id in mark.boxes:
            boxed += 1
            left, top, right, bottom = first_box(plan.scene, FORMAT, body_id)
            rows, columns = np.nonzero(truth.masks[body_id][0])
            assert left <= columns.min() and columns.max() + 1 <= right
            assert top <= rows.min() and rows.max() + 1 <= bottom
            assert body_id not in {b.id for b in mark.scene.bodies}
        for body_id in mark.arrows:
            arrowed += 1
            start, end = truth.tracks[body_id].center_T2[[0, -1]]
            assert np.hypot(*(end - start)) > 1.5
    assert boxed > 5 and arrowed > 5


def test_a_bearing_turns_a_path_and_nothing_else() -> None:
    ahead = Body("a", "girl", Material("red"), motion=Motion("move_right"))
    steered = replace(ahead, motion=replace(ahead.motion, bearing=0.5))
    one, other = (render_truth(Scene((b,), camera=Camera()), FORMAT) for b in (ahead, steered))
    path, turned = (t.tracks["a"].world_T3[-1] - t.tracks["a"].world_T3[0] for t in (one, other))
    angle = np.arctan2(-turned[2], turned[0]) - np.arctan2(-path[2], path[0])
    assert angle == pytest.approx(0.5, abs=1e-3)
    assert np.hypot(*turned[[0, 2]]) == pytest.approx(np.hypot(*path[[0, 2]]), rel=1e-4)


def test_marks_are_drawn_where_they_are_asked() -> None:
    blank = np.full((40, 60, 3), 120, np.uint8)
    arrow, box = draw_arrow(blank, (10, 20), (50, 20)), draw_box(blank, (10, 8, 40, 30))
    inked = [np.argwhere((np.abs(p.astype(int) - INK) < 70).all(-1)) for p in (arrow, box)]
    assert inked[0][:, 1].min() >= 8 and inked[0][:, 1].max() <= 52
    assert (inked[0][inked[0][:, 1] < 30][:, 0] - 19.5 < 2).all()
    assert inked[1][:, 0].min() >= 6 and inked[1][:, 0].max() <= 31
    assert (blank == 120).all()


def test_puzzles_have_the_one_right_answer() -> None:
    riddles = 0
    for _, plan in plans("C23", 60):
        body, text = plan.scene.bodies[0], plan.text
        color = body.material.color
        for thing in COLOR_OF.get(color, ()):
            riddles += f"color of {thing}" in text or f"that of {thing}." in text
        if " paint " in text or "Combine" in text:
            assert all(c in text for c in MIXED[color]) and color not in text
        if "around" in text and "motion" in text:
            assert OPPOSITE[body.motion.kind] in text
        assert plan.solution and "{" not in plan.text + plan.vague_text + plan.solution
        if plan.given:
            assert "@Image_1" in plan.solution
    assert riddles > 3


def test_films_go_through_their_panels_in_order() -> None:
    assert panel_frames(2, 17) == (2, 6, 10, 14)
    assert panel_frames(3, 17) == (0, 2, 4, 6, 8, 10, 12, 14, 16)
    assert [scene_at(i, 4, 17) for i in (0, 4, 5, 8, 9, 12, 13, 16)] == [0, 0, 1, 1, 2, 2, 3, 3]
    cuts = next(s for s, p in plans("C24") if p.cuts)
    task = sample("C24", cuts)
    assert len({task.scene.place, *(c.place for c in task.cuts)}) == 4
    board = task.media["Image_1"][0].frames_THWC[0].astype(float)
    for k, index in enumerate(task.panels):
        y, x = divmod(k, 2)
        panel = board[20 * y : 20 * y + 20, 24 * x : 24 * x + 24]
        frame = task.target.frames_THWC[index].reshape(20, 2, 24, 2, 3).mean((1, 3))
        assert np.abs(panel - frame).mean() < 12


def test_sketches_show_outlines_or_shapes_of_the_first_frame() -> None:
    found = set()
    for seed, plan in plans("C25", 12):
        filled = plan.given[0].shots[0].filled  # type: ignore[union-attr]
        if filled in found:
            continue
        found.add(filled)
        task = sample("C25", seed)
        gray = task.media["Image_1"][0].frames_THWC[0, ..., 0]
        masks = render_truth(task.scene, FORMAT).masks.values()
        body = np.logical_or.reduce([m[0] for m in masks])
        if filled:
            assert ((gray < 160) != body).mean() < 0.02
        else:
            assert 0.005 < (gray < 160).mean() < 0.4
    assert found == {True, False}
