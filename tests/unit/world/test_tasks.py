from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.errors import InvalidInput
from omnireel.mvl import validate
from omnireel.types import MediaKind, Role, VideoFormat
from omnireel.world.holdout import Split, split_of
from omnireel.world.lexicon import vocabulary, words_of
from omnireel.world.tasks import (
    CAPABILITIES,
    TaskMix,
    TaskSample,
    draw_plan,
    sample_mixed,
    sample_task,
)
from omnireel.world.truth import render_truth

FORMAT = VideoFormat(56, 48, 5, 2.5)
LOCAL_EDITS = ("C4", "C5", "C6", "C12")
FRAMED = (Role.FIRST_FRAME, Role.LAST_FRAME, Role.STORYBOARD, Role.ANNOTATION)
SHOTS = ("C13", "C14")
"""Halves of one take: their scenes may be laid out over twice the clip."""
VOCABULARY = frozenset(vocabulary())


@cache
def sample(capability: str, seed: int = 0, split: Split = "train") -> TaskSample:
    return sample_task(capability, seed, FORMAT, split=split)


def test_the_capabilities_of_the_table_are_there() -> None:
    assert [f"C{n}" for n in range(1, 26)] == list(CAPABILITIES)


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_prompts_and_media_agree(capability: str, seed: int) -> None:
    task = sample(capability, seed)
    for prompt in (task.prompt, task.vague_prompt):
        validate(prompt)
        declared = {i.name for i in prompt.inputs} | {e.name for e in prompt.elements}
        assert declared == set(task.media)
    side = min(FORMAT.width, FORMAT.height)
    for declared_input in task.prompt.inputs:
        (clip,) = task.media[declared_input.name]
        frame = declared_input.role in FRAMED
        if declared_input.kind is MediaKind.VIDEO:
            assert clip.format == FORMAT
        else:
            height, width = (FORMAT.height, FORMAT.width) if frame else (side, side)
            assert clip.frames_THWC.shape == (1, height, width, 3)
    for element in task.prompt.elements:
        views = [clip.frames_THWC for clip in task.media[element.name]]
        assert [v.shape for v in views] == [(1, side, side, 3)] * 3
        assert not np.array_equal(views[0], views[1])
    assert task.target.format == FORMAT
    lengths = (1, 2) if capability in SHOTS else (1,)
    assert task.scene.duration_s in [n * FORMAT.duration_s for n in lengths]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_equal_seeds_give_equal_bytes(capability: str) -> None:
    first, again = sample(capability), sample_task(capability, 0, FORMAT)
    assert first.prompt == again.prompt and first.scene == again.scene
    assert np.array_equal(first.target.frames_THWC, again.target.frames_THWC)
    for name, clips in first.media.items():
        for one, other in zip(clips, again.media[name], strict=True):
            assert np.array_equal(one.frames_THWC, other.frames_THWC)
    assert sample(capability, 1).scene != first.scene


@settings(max_examples=120, deadline=None)
@given(capability=st.sampled_from(CAPABILITIES), seed=st.integers(0, 2**63))
def test_splits_never_mix(capability: str, seed: int) -> None:
    train = draw_plan(capability, seed, 2.0, "train")
    assert split_of(train.scene) == "train"
    assert all(split_of(scene) == "train" for scene in train.given_scenes())
    assert split_of(draw_plan(capability, seed, 2.0, "held_out").scene) == "held_out"


@settings(max_examples=200, deadline=None)
@given(capability=st.sampled_from(CAPABILITIES), seed=st.integers(0, 2**63))
def test_every_word_is_in_the_vocabulary(capability: str, seed: int) -> None:
    plan = draw_plan(capability, seed, 2.0, "train")
    for text in (plan.text, plan.vague_text, plan.solution):
        assert not set(words_of(text)) - VOCABULARY
        assert "  " not in text and " ." not in text and " ," not in text


@pytest.mark.parametrize("capability", [*LOCAL_EDITS, "C7", "C8", "C9", "C10", "C11", "C21"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_edits_touch_only_their_mask(capability: str, seed: int) -> None:
    task = sample(capability, seed)
    (source,) = task.media["Video_1"]
    assert task.prompt.inputs[0].role is Role.SOURCE
    assert task.edit_mask_THW is not None and task.edit_mask_THW.shape == (5, 48, 56)
    kept = ~task.edit_mask_THW
    assert np.array_equal(source.frames_THWC[kept], task.target.frames_THWC[kept])
    assert not np.array_equal(source.frames_THWC, task.target.frames_THWC)


@pytest.mark.parametrize("capability", ["C8", "C10", "C20"])
def test_who_needs_no_mask_gets_the_same_without(capability: str) -> None:
    whole = sample(capability, 1)
    spared = sample_task(capability, 1, FORMAT, with_mask=False)
    assert spared.edit_mask_THW is None
    assert (whole.edit_mask_THW is None) == (capability == "C20")
    assert np.array_equal(spared.target.frames_THWC, whole.target.frames_THWC)
    for name, clips in whole.media.items():
        for clip, other in zip(clips, spared.media[name], strict=True):
            assert np.array_equal(clip.frames_THWC, other.frames_THWC)


@pytest.mark.parametrize("capability", LOCAL_EDITS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_local_edits_are_local(capability: str, seed: int) -> None:
    task = sample(capability, seed)
    assert task.edit_mask_THW is not None and task.source_scene is not None
    assert 0.01 < task.edit_mask_THW.mean() < 0.6
    before, after = (render_truth(s, FORMAT).masks for s in (task.source_scene, task.scene))
    bodies = set(task.source_scene.bodies) ^ set(task.scene.bodies)
    assert {b.id for b in bodies} and len({b.id for b in bodies}) == 1
    for masks in (before, after):
        for body in bodies:
            assert task.edit_mask_THW[masks.get(body.id, np.zeros_like(task.edit_mask_THW))].all()


def test_a_recoloured_body_keeps_its_surroundings() -> None:
    found = 0
    for seed in range(80):
        plan = draw_plan("C8", seed, FORMAT.duration_s, "train")
        source = plan.source_scene
        if not plan.edited or source is None:
            continue
        found += 1
        task = sample_task("C8", seed, FORMAT)
        assert task.edit_mask_THW is not None
        body = render_truth(task.scene, FORMAT).masks["a"]
        grown = body.copy()
        for shift, axis in ((1, 1), (-1, 1), (1, 2), (-1, 2)):
            grown |= np.roll(body, shift, axis)
        assert (task.edit_mask_THW & ~grown).mean() < 0.02
        old, new = source.bodies[0], plan.scene.bodies[0]
        assert replace(old, material=new.material) == new
        if found == 4:
            break
    assert found == 4


def test_additions_and_removals_differ_by_one_body() -> None:
    added, removed = sample("C4"), sample("C5")
    assert added.source_scene is not None and removed.source_scene is not None
    assert len(added.scene.bodies) == len(added.source_scene.bodies) + 1
    assert len(removed.scene.bodies) == len(removed.source_scene.bodies) - 1


@pytest.mark.parametrize("capability", ["C6", "C12"])
@pytest.mark.parametrize("seed", [0, 1])
def test_replacements_move_as_before(capability: str, seed: int) -> None:
    task = sample(capability, seed)
    assert task.source_scene is not None
    old, new = task.source_scene.bodies[0], task.scene.bodies[0]
    assert (old.motion, old.position) == (new.motion, new.position)
    assert old.kind != new.kind and old.material.color != new.material.color


@pytest.mark.parametrize("capability", ["C1", "C2", "C3", "C12"])
@pytest.mark.parametrize("seed", [0, 1])
def test_references_show_the_subject_of_the_target(capability: str, seed: int) -> None:
    plan = draw_plan(capability, seed, 2.0, "train")
    first = plan.scene.bodies[0]
    shown = [
        (b.kind, b.material, b.skin, b.wears)
        for scene in plan.given_scenes()
        if scene is not plan.source_scene or capability != "C12"
        for b in scene.bodies
    ]
    assert (first.kind, first.material, first.skin, first.wears) in shown


@pytest.mark.parametrize("seed", range(6))
def test_transfers_carry_exactly_one_thing_over(seed: int) -> None:
    motion = draw_plan("C16", seed, 2.0, "train")
    camera = draw_plan("C17", seed, 2.0, "train")
    assert motion.source_scene is not None and camera.source_scene is not None
    assert motion.scene.bodies[0].motion == motion.source_scene.bodies[0].motion
    assert camera.scene.camera == camera.source_scene.camera
    assert "@Video_1" in motion.text and "@Video_1" in camera.text
    assert motion.given[0].role is Role.MOTION and camera.given[0].role is Role.CAMERA


def test_given_frames_are_those_of_the_target() -> None:
    first, both = sample("C18"), sample("C19")
    assert np.array_equal(first.media["Image_1"][0].frames_THWC[0], first.target.frames_THWC[0])
    assert np.array_equal(both.media["Image_1"][0].frames_THWC[0], both.target.frames_THWC[0])
    assert np.array_equal(both.media["Image_2"][0].frames_THWC[0], both.target.frames_THWC[-1])


def test_stylisation_keeps_everything_but_the_style() -> None:
    task = sample("C7")
    assert task.source_scene is not None
    assert task.source_scene.style == "natural" != task.scene.style
    assert replace(task.scene, style="natural") == task.source_scene


def test_the_default_mix_has_its_shares() -> None:
    mix = TaskMix()
    drawn = Counter(mix.choose(seed) for seed in range(4000))
    assert set(drawn) == set(CAPABILITIES)
    assert drawn["C20"] / 4000 == pytest.approx(0.30, abs=0.03)
    assert drawn["C18"] / 4000 == pytest.approx(0.10, abs=0.03)


def test_a_mix_samples_what_it_names() -> None:
    task = sample_mixed(3, FORMAT, TaskMix({"C18": 2.0, "C20": 0.0}))
    assert task.capability == "C18"
    assert task.seed == 3
    assert np.array_equal(task.target.frames_THWC, sample("C18", 3).target.frames_THWC)


@pytest.mark.parametrize("weights", [{}, {"C20": -1.0}, {"C20": 0.0}, {"C99": 1.0}])
def test_wrong_mixes_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(InvalidInput) as caught:
        TaskMix(weights)
    assert caught.value.violations[0].field == "weights"


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InvalidInput, match="unknown capability 'C99'"):
        sample_task("C99", 0, FORMAT)
    with pytest.raises(InvalidInput, match="seed"):
        sample_task("C20", -1, FORMAT)
    with pytest.raises(InvalidInput, match="split"):
        sample_task("C20", 0, FORMAT, split="test")  # type: ignore[arg-type]


@pytest.mark.parametrize("capability", ["C4", "C20"])
def test_held_out_samples_render(capability: str) -> None:
    assert split_of(sample(capability, 0, "held_out").scene) == "held_out"


@pytest.mark.parametrize("seed", [468, 1358, 4360])
def test_a_subject_that_no_other_color_fits_is_drawn_again(seed: int) -> None:
    plan = draw_plan("C8", seed, 2.125, "train")
    assert plan.source_scene is not None
    before, after = (s.bodies[0].material.color for s in (plan.source_scene, plan.scene))
    assert before != after
