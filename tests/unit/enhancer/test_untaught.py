"""Requests that stay in the words of the user."""

from __future__ import annotations

import pytest

from omnireel.enhancer.tiny.untaught import untaught
from omnireel.mvl import Input, parse
from omnireel.recipes import enhancer_words
from omnireel.types import MediaKind, Role

LEXICON = enhancer_words.lexicon()


@pytest.mark.parametrize(
    ("said", "puzzle"),
    [
        ("red pink red, boy of the next color", True), ("blue plus yellow, girl", True),
        ("a ball, a cube and a star, four less two of them", True),
        ("cone in the color of the sea", True),
        ("cat blue just there plus something", False), ("a red ball plus some object", False),
        ("make it <m0> plus <m1>", False),
    ],
)  # fmt: skip
def test_puzzles_are_left_to_those_who_were_taught_them(said: str, puzzle: bool) -> None:
    prompt = parse(said)
    assert ("puzzle" in untaught(LEXICON, prompt, said, ["C20"])) is puzzle
    assert untaught(LEXICON, prompt, said, ["C20", "C23"]) == ""


@pytest.mark.parametrize(
    ("said", "addition"),
    [
        ("a red star too", True), ("add some cone", True), ("put white block in there", True),
        ("also a teal kitty please", True), ("add a cube to <m0>", True),
        ("add falling snow", False), ("add sparkles to the cube", False), ("a bear instead", False),
        ("make the ball green too", False), ("also make the cat red", False),
        ("add a ball and make it night", False), ("<m1> too", False),
        ("put a bear in the place of the cat", False),
    ],
)  # fmt: skip
def test_additions_to_a_video_stay_in_the_users_words(said: str, addition: bool) -> None:
    video = Input("Video_1", MediaKind.VIDEO, Role.SOURCE)
    prompt = parse("@Video_1", [video])
    assert ("has room" in untaught(LEXICON, prompt, said, ["C20"])) is addition
    assert untaught(LEXICON, prompt, said, ["C4"]) == ""


@pytest.mark.parametrize(
    ("said", "marks"),
    [
        ("that girl along the arrow, <m0>", True), ("a sphere in the box, <m0>", True),
        ("the box is some pyramid, <m0>", True), ("arrow for the ring, box for a cube, <m0>", True),
        ("<m0> and a red box on the beach", False), ("the box jumps like in <m0>", False),
    ],
)  # fmt: skip
def test_marks_on_a_picture_stay_in_the_users_words(said: str, marks: bool) -> None:
    prompt = parse("@Image_1", [Input("Image_1", MediaKind.IMAGE, Role.REFERENCE)])
    assert ("marks" in untaught(LEXICON, prompt, said, ["C20"])) is marks
    assert untaught(LEXICON, prompt, said, ["C22"]) == ""


def test_a_video_to_go_on_from_is_left_to_those_who_were_taught_shots() -> None:
    video = Input("Video_1", MediaKind.VIDEO, Role.REFERENCE)
    prompt = parse("next shot of @Video_1", [video])
    assert "shots" in untaught(LEXICON, prompt, "next shot of <m0>", [])
    assert untaught(LEXICON, prompt, "next shot of <m0>", ["C13"]) == ""
    assert untaught(LEXICON, prompt, "what happens next in <m0>", ["C13"]) == ""
    assert "puzzle" in untaught(LEXICON, parse("what happens next"), "what happens next", ["C13"])
    moves = Input("Video_1", MediaKind.VIDEO, Role.MOTION)
    assert (
        untaught(
            LEXICON, parse("a cat moves as in @Video_1", [moves]), "a cat moves as in <m0>", []
        )
        == ""
    )
