from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.world import phrases
from omnireel.world.captions import LEVELS, caption, structured, vague
from omnireel.world.captions.grammar import Borrowed
from omnireel.world.lexicon import NOUNS, TEXTURE_NOUNS, vocabulary, words_of
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import CHARACTERS, Body, Level, Scene
from omnireel.world.staging import pace_word, size_word

MOTION_WORDS = {
    "still": {"still"},
    "move_right": {"right"},
    "move_left": {"left"},
    "approach": {"toward", "closer"},
    "recede": {"away"},
    "jump": {"jumps", "jumping", "bounces", "bouncing"},
    "spin": {"spins", "spinning", "turns", "turning"},
    "circle": {"circle"},
}
VOCABULARY = frozenset(vocabulary())
seeds = st.integers(0, 2**32)


def said(table: dict[str, tuple[str, ...]], key: str, text: str) -> bool:
    return any(option in text for option in table[key])


def check_body(body: Body, scene: Scene, rank: int, text: str) -> None:
    words = words_of(text)
    assert NOUNS[body.kind][0] in words
    assert body.material.color in words
    assert MOTION_WORDS[body.motion.kind] & set(words)
    if rank >= 1:
        if body.material.texture != "plain":
            assert body.material.texture in words
        if size := size_word(body, scene):
            assert set(phrases.SIZE[size]) & set(words)
        for prop, color in body.wears:
            assert prop in words and color in words
    if rank >= 2:
        if body.material.texture != "plain":
            assert f"{body.material.accent} {TEXTURE_NOUNS[body.material.texture]}" in text
        if pace := pace_word(body, scene):
            assert phrases.ADVERBS[pace] in words
    if rank >= 3 and body.kind in CHARACTERS and len(scene.bodies) == 1:
        assert body.skin in words


@settings(max_examples=150, deadline=None)
@given(seed=seeds, level=st.sampled_from(LEVELS))
def test_each_level_says_what_it_promises(seed: int, level: Level) -> None:
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    text = caption(scene, level, rng).lower()
    rank = LEVELS.index(level)
    for body in scene.bodies:
        check_body(body, scene, rank, text)
    named, leads = phrases.STYLE | {"natural": ("",)}, phrases.STYLE_LEAD
    assert said(named, scene.style, text) or said(leads, scene.style, text)
    if rank >= 1:
        assert said(phrases.PLACE, scene.place, text)
        assert scene.weather == "clear" or said(phrases.WEATHER, scene.weather, text)
        assert scene.effect == "none" or said(phrases.EFFECT, scene.effect, text)
    if rank >= 2:
        assert scene.camera.move == "static" or said(phrases.CAMERA, scene.camera.move, text)
        if len(scene.bodies) == 2:
            pairs = (("on the left", "on the right"), ("in the front", "in the back"))
            assert any(a in text and b in text for a, b in pairs)
    assert rank < 3 or said(phrases.CAMERA, scene.camera.move, text)


@settings(max_examples=100, deadline=None)
@given(seed=seeds, level=st.sampled_from(LEVELS))
def test_every_word_is_in_the_vocabulary(seed: int, level: Level) -> None:
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng)
    texts = [caption(scene, level, rng), vague(scene, rng), json.dumps(structured(scene))]
    assert not {word for text in texts for word in words_of(text)} - VOCABULARY


def test_the_vocabulary_is_compact_and_sorted() -> None:
    words = vocabulary()
    assert len(words) < 800
    assert list(words) == sorted(set(words))


def test_levels_grow_and_stay_short() -> None:
    rng = np.random.default_rng(0)
    scenes = [sample_scene(rng) for _ in range(300)]
    lengths = {
        level: np.array([len(caption(s, level, rng).split()) for s in scenes]) for level in LEVELS
    }
    means = [lengths[level].mean() for level in LEVELS]
    assert means == sorted(means)
    assert 8 <= means[1] <= 20 and 8 <= means[2] <= 26
    assert lengths["elaborate"].max() <= 60


def test_two_relations_are_the_right_way_round() -> None:
    rng = np.random.default_rng(2)
    checked = set()
    while checked != {"left", "front"}:
        scene = sample_scene(rng)
        if len(scene.bodies) != 2:
            continue
        first, second = scene.bodies
        text = caption(scene, "full", None).lower()
        order = [text.index(NOUNS[b.kind][0]) for b in (first, second)]
        assert order[0] < order[1]
        if "on the left" in text:
            leftmost_first = first.position[0] < second.position[0]
            # the noun that stands just before "on the left" is the body further left
            assert (text.index("on the left") < text.index("on the right")) == leftmost_first
            checked.add("left")
        elif "in the front" in text:
            nearer_first = first.position[2] > second.position[2]
            assert (text.index("in the front") < text.index("in the back")) == nearer_first
            checked.add("front")


def test_names_and_borrowed_facts_replace_words() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        scene = sample_scene(rng, max_bodies=1)
        for level in LEVELS:
            named = caption(scene, level, rng, names={"a": "@Hero"})
            assert "@Hero" in named
            nouns = {NOUNS[scene.bodies[0].kind][0]} - set(words_of(" ".join(PLACE_TEXTS)))
            assert not nouns & set(words_of(named))
            for kind in ("motion", "camera", "place"):
                text = caption(scene, level, rng, borrowed=Borrowed(**{kind: "@Video_1"}))
                assert text.count("@Video_1") == 1


PLACE_TEXTS = [t for options in phrases.PLACE_DETAIL.values() for t in options]


def test_without_a_generator_the_wording_is_canonical() -> None:
    scene = sample_scene(np.random.default_rng(3))
    assert caption(scene, "full", None) == caption(scene, "full", None)
    assert structured(scene)["summary"] == caption(scene, "full", None)


def test_structured_has_exact_fields() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        scene = sample_scene(rng)
        fields = structured(scene)
        assert list(fields) == ["subjects", "summary", "motion", "camera", "place", "style"]
        assert len(fields["subjects"]) == len(scene.bodies)
        for body, subject in zip(scene.bodies, fields["subjects"], strict=True):
            assert NOUNS[body.kind][0] in subject and body.material.color in subject


def test_vague_prompts_are_shorter_and_varied() -> None:
    rng = np.random.default_rng(5)
    scene = sample_scene(rng, max_bodies=1)
    texts = {vague(scene, rng) for _ in range(60)}
    assert len(texts) > 15
    assert np.mean([len(t.split()) for t in texts]) < 9


def test_vague_prompts_can_leave_the_motion_out() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        scene = sample_scene(rng, max_bodies=1)
        text = vague(scene, rng, say_motion=False)
        loose = phrases.VAGUE_MOTION[scene.bodies[0].motion.kind]
        assert not any(text.endswith(m) or f"{m} " in text for m in loose)


@pytest.mark.parametrize("level", LEVELS)
def test_articles_fit(level: Level) -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        words = caption(sample_scene(rng), level, rng).lower().split()
        for article, following in pairwise(words):
            if article in ("a", "an"):
                assert (article == "an") == (following[0] in "aeiou")
