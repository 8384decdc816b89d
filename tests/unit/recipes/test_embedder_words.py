"""True and untrue words that the embedder learns from."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.recipes.embedder_words import reworded, without_props

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("text", "says", "another"),
    [
        (
            "Remove the red ball from @Video_1, keep everything else.",
            ["red ball", "@Video_1"],
            "@Video_1 without the red ball.",
        ),
        (
            "Put a blue cat spinning around into @Video_1 in the back.",
            ["a blue cat", "spinning around", "in the back"],
            "In @Video_1, add a blue cat spinning around in the back.",
        ),
        (
            "Replace the boy in pink in @Video_1 with a green bear. The rest stays the same.",
            ["the boy in pink", "a green bear"],
            "In @Video_1, put a green bear in the place of the boy in pink.",
        ),
        (
            "In @Video_1, paint the white cube teal.",
            ["the white cube", "teal"],
            "Change the color of the white cube in @Video_1 to teal.",
        ),
        ("Make @Video_1 look like pixel art.", ["pixel art"], "Turn @Video_1 into pixel art."),
    ],
)
def test_other_words_say_the_same(text: str, says: list[str], another: str) -> None:
    found = {reworded(text, RNG) for _ in range(80)}
    assert len(found) > 2
    assert another in found
    assert all(part in one for one in found for part in says)


def test_what_has_no_other_words_stays() -> None:
    assert reworded("Let it be nice.", RNG) == "Let it be nice."


def test_colours_of_what_somebody_wears_are_left_out() -> None:
    one, other = (f"Add a red cat wearing a {c} scarf, keep." for c in ("blue", "pink"))
    assert without_props(one) == without_props(other)
    assert without_props("Add a red cat.") != without_props("Add a blue cat.")
