"""Who does what, and on which side, is not mixed up."""

from __future__ import annotations

import pytest

from omnireel.enhancer.tiny.binding import lost_sides, swapped_motions
from omnireel.recipes import enhancer_words

LEXICON = enhancer_words.lexicon()


@pytest.mark.parametrize(
    ("said", "written", "swapped"),
    [
        (
            "blue cube and green cone, the cube spins, the cone stands still",
            "a blue cube on the left rests still, and a green cone on the right spins in place.",
            ["cube", "cone"],
        ),
        (
            "blue cube and green cone, the cube spins, the cone stands still",
            "a striped blue cube with red stripes spins in place while a green cone stands still.",
            [],
        ),
        ("a kid jumping plus a cat", "a boy in red jumps up and down; a cat stands still.", []),
        (
            "a kid jumping plus a cat",
            "a boy in red stands still; a cat jumps up and down.",
            ["boy"],
        ),
        ("ball going sideways", "a red ball moves from right to left.", []),
        ("a cube and a cone spin", "a cube stands still, and a cone spins in place.", []),
        ("make the ball red", "a red ball moves from right to left.", []),
    ],
)
def test_motions_stay_with_their_subjects(said: str, written: str, swapped: list[str]) -> None:
    assert [kind.name for kind in swapped_motions(LEXICON, said, written)] == swapped


@pytest.mark.parametrize(
    ("written", "lost"),
    [
        ("a red ball on the left jumps, and a cat on the right stands still.", []),
        ("a red ball on the right jumps, and a cat on the left stands still.", ["ball", "cat"]),
        ("a red ball in the front jumps, and a cat in the back stands still.", ["ball", "cat"]),
        ("a red ball moves to the left.", ["ball"]),
        ("a cube moves to the left.", []),  # that the ball is lost is another check's matter
    ],
)
def test_subjects_stand_where_they_were_put(written: str, lost: list[str]) -> None:
    said = "red ball on the left and cat on the right"
    assert [kind.name for kind in lost_sides(LEXICON, said, written)] == lost
    assert lost_sides(LEXICON, "red ball and cat", written) == []
