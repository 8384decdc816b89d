"""What an edit must not do to the subjects of a video."""

from __future__ import annotations

import pytest

from omnireel.enhancer.tiny.edits import (
    lost_newcomers,
    lost_removals,
    made_up_things,
    replaced_by_itself,
)
from omnireel.mvl import Input, parse
from omnireel.recipes import enhancer_words
from omnireel.types import MediaKind, Role

LEXICON = enhancer_words.lexicon()


@pytest.mark.parametrize(
    ("written", "itself"),
    [
        ("in <m0>, put a green cube in the place of the green cube.", True),
        ("change the red cone of <m0> into a large red cone, keep everything else.", True),
        ("change the red cone of <m0> into a red cube.", False),
        ("change the red cone of <m0> into a big green cone.", False),
        ("add sparkles to the blue cat and make the blue cat red in <m0>.", False),
        ("replace the blue cube with a teal star and add bubbles to the teal star.", False),
    ],
)
def test_nothing_is_replaced_by_itself(written: str, itself: bool) -> None:
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    assert bool(replaced_by_itself(LEXICON, source, written)) is itself
    assert replaced_by_itself(LEXICON, parse("a cube"), written) == []


@pytest.mark.parametrize(
    ("said", "written", "lost"),
    [
        ("a cone instead", "Replace the red ball in <m0> with a green cone.", []),
        ("a cone instead", "In <m0>, put a green cone in the place of the red ball.", []),
        ("a cone instead", "Recolor the green cone to white, keep everything else.", ["cone"]),
        ("a cone instead", "Change the green cone of <m0> into a red cone.", ["cone"]),
        (
            "star instead, bubbles",
            "Replace the cube in <m0> with a teal star and add bubbles to the teal star.",
            [],
        ),
        ("another cone not the cone", "Change the green cone of <m0> into a red cone.", []),
        (
            "<m0> not that robot and <m1> not the cone",
            "Replace the robot in <m2> with <m0> and the cone with <m1>.",
            [],
        ),
        ("swap ball with some robot", "Swap the red ball in <m0> for a teal robot.", []),
        ("swap ball with some robot", "Swap the teal robot in <m0> for a red ball.", ["robot"]),
        ("yellow kid instead", "Change the cat of <m0> into a boy in yellow.", []),
        ("yellow kid instead", "Change the clothes of the girl in <m0> to yellow.", ["girl"]),
        ("cat not the ball, in snow", "Change the ball of <m0> into a cat with a hat.", []),
        ("make it a star", "Swap the ball with a hat in <m0> for a star.", []),
        ("turn the ball green", "Recolor the ball to green.", []),
        ("green instead", "Recolor the ball to green.", []),
        ("do not touch the ball, add a cat", "Add a red cat to <m0>.", []),
    ],
)
def test_who_comes_in_the_place_of_another_is_not_mixed_up(
    said: str, written: str, lost: list[str]
) -> None:
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    assert [f.name for f in lost_newcomers(LEXICON, said, source, written)] == lost
    assert lost_newcomers(LEXICON, said, parse("a ball"), written) == []


@pytest.mark.parametrize(
    ("said", "written", "kept"),
    [
        ("no black ring, meadow", "remove the black ring and change the background.", []),
        ("no black ring, meadow", "replace the cat with a black ring.", ["ring"]),
        ("no black ring, meadow", "replace the black ring with a cat.", ["ring"]),
        ("no black ring, meadow", "remove the black ring and paint the black ring.", ["ring"]),
        ("no ring, meadow", "change the background of <m0> to a meadow.", ["ring"]),
        ("make the cat red without changing the ring", "paint the cat red.", []),
        ("without the kid please", "make the boy in red go away.", []),
        ("a black ring instead", "replace the cat with a black ring.", []),
    ],
)
def test_what_shall_go_is_removed(said: str, written: str, kept: list[str]) -> None:
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    assert [kind.name for kind in lost_removals(LEXICON, said, source, written)] == kept
    assert lost_removals(LEXICON, said, parse(said), written) == []


def test_edits_put_nothing_on_a_subject_that_nobody_spoke_of() -> None:
    written = "swap the cat for a red robot with a blue hat."
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    made_up = made_up_things(LEXICON, "a robot instead", source, written)
    assert [fact.name for fact in made_up] == ["hat"]
    assert made_up_things(LEXICON, "a robot with a hat instead", source, written) == []
