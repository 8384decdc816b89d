"""Wrong captions and spoilt edits differ from right ones by exactly one thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnireel.data.crossmodal.altered import FACTS, altered, tellable
from omnireel.data.crossmodal.meddled import erased, half_erased, meddled
from omnireel.data.crossmodal.references import key_of, recast, references
from omnireel.data.crossmodal.wording import misworded, misworded_edit
from omnireel.types import VideoFormat
from omnireel.world.captions import LEVELS, caption
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import COLORS, Scene
from omnireel.world.tasks.catalog import draw_plan
from omnireel.world.truth import render_truth


def scene_of(seed: int) -> Scene:
    return sample_scene(np.random.default_rng(seed))


@pytest.mark.parametrize("fact", FACTS)
def test_one_fact_changes_and_its_words_with_it(fact: str) -> None:
    told = 0
    for seed in range(30):
        scene = scene_of(seed)
        if fact not in tellable(scene, "elaborate"):
            continue
        wrong = altered(scene, fact, np.random.default_rng(seed))
        assert wrong != scene
        if fact in ("place", "style", "weather", "camera"):
            assert replace(wrong, **{fact: getattr(scene, fact)}) == scene
        else:
            assert wrong.bodies[1:] == scene.bodies[1:]
            assert replace(wrong, bodies=scene.bodies) == scene
        for level in LEVELS:
            if fact in tellable(scene, level):
                told += 1
                assert caption(scene, level, None) != caption(wrong, level, None), level
    assert told


def test_a_spoilt_edit_changes_what_the_edit_left_alone() -> None:
    for seed in range(25):
        plan = draw_plan(("C4", "C5", "C6", "C7", "C8")[seed % 5], seed, 2.125, "train")
        assert plan.source_scene is not None
        spoilt = meddled(plan.source_scene, plan.scene, np.random.default_rng(seed))
        assert spoilt != plan.scene
        edited = set(plan.edited or ())
        for body, before in zip(spoilt.bodies, plan.scene.bodies, strict=True):
            if body.id in edited:
                assert body == before


def test_a_half_erased_subject_leaves_a_piece_and_nothing_else() -> None:
    fmt = VideoFormat(64, 64, 5, 8.0)
    plan = draw_plan("C5", 1, fmt.duration_s, "train")
    source = plan.source_scene
    assert source is not None
    gone = erased(source, plan.scene)
    assert gone
    assert not erased(source, source)
    half = half_erased(source, plan.scene, fmt, np.random.default_rng(0))
    whole, empty = render_clip(source, fmt), render_clip(plan.scene, fmt)
    body = render_truth(source, fmt).masks[gone]
    assert (half[~body] == empty[~body]).all()
    piece = (half != empty).any(-1)
    assert (half[piece] == whole[piece]).all()
    assert 0.2 < piece.sum() / body.sum() < 0.8


def test_a_word_is_exchanged_for_another_of_its_kind() -> None:
    rng = np.random.default_rng(0)
    text = "Make the red ball green, keep everything else."
    wrong = {misworded(text, rng) for _ in range(60)}
    assert text not in wrong
    assert all(len(w.split()) == len(text.split()) for w in wrong)
    assert any("red ball" not in w for w in wrong)
    assert any("green" not in w for w in wrong)
    assert misworded("Nothing here.", rng) == "Nothing here."


def test_no_colour_is_exchanged_where_the_style_hides_it() -> None:
    rng = np.random.default_rng(0)
    plan = next(
        plan
        for plan in (draw_plan("C5", seed, 2.0, "train") for seed in range(2000))
        if plan.source_scene is not None and plan.source_scene.style == "sepia"
    )
    colors = set(COLORS) & set(plan.text.replace(".", " ").replace(",", " ").split())
    assert colors
    for _ in range(40):
        wrong = misworded_edit(plan, rng)
        assert wrong != plan.text
        assert all(color in wrong for color in colors)
    assert misworded_edit(plan, rng, "Remove the subject.") == "Remove the subject."


def test_references_show_who_is_there_and_who_is_not() -> None:
    for seed in range(20):
        scene = scene_of(seed)
        right, wrong, _ = references(scene, np.random.default_rng(seed))
        here = {key_of(body) for body in scene.bodies}
        assert key_of(right.bodies[0]) in here
        assert key_of(wrong.bodies[0]) not in here
        played = recast(scene, wrong.bodies[0])
        assert key_of(played.bodies[0]) == key_of(wrong.bodies[0])
        assert played.bodies[0].motion == scene.bodies[0].motion
