from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.world.holdout import is_held_out, split_of
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import CHARACTERS, COLORS, MOTIONS, SHAPES, STYLES

FROZEN = [
    ("orange", "move_left"),
    ("orange", "jump"),
    ("green", "move_right"),
    ("green", "recede"),
    ("green", "spin"),
    ("teal", "move_left"),
    ("teal", "recede"),
    ("purple", "circle"),
    ("pink", "still"),
    ("pink", "approach"),
    ("black", "move_left"),
    ("black", "jump"),
    ("black", "circle"),
]
"""Held-out (colour, motion) of the natural ball, written down once."""

COMBINATIONS = list(product(SHAPES + CHARACTERS, COLORS, MOTIONS, STYLES))


def test_the_rule_never_changes() -> None:
    natural = [c for c in COMBINATIONS if c[0] == "ball" and c[3] == "natural" and is_held_out(*c)]
    assert [(color, motion) for _, color, motion, _ in natural] == FROZEN


def test_one_in_ten_is_held_out() -> None:
    share = np.mean([is_held_out(*c) for c in COMBINATIONS])
    assert abs(share - 0.1) < 0.01


def test_every_single_fact_and_most_pairs_occur_in_training() -> None:
    train = [c for c in COMBINATIONS if not is_held_out(*c)]
    for column in range(4):
        assert {c[column] for c in train} == {c[column] for c in COMBINATIONS}
    natural = {(k, c) for k, c, _, style in train if style == "natural"}
    assert natural == set(product(SHAPES + CHARACTERS, COLORS))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32))
def test_training_never_shows_a_held_out_combination(seed: int) -> None:
    scene = sample_scene(np.random.default_rng(seed), split="train")
    for body in scene.bodies:
        assert not is_held_out(body.kind, body.material.color, body.motion.kind, scene.style)
    assert split_of(sample_scene(np.random.default_rng(seed), split="held_out")) == "held_out"
