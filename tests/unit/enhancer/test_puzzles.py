"""Puzzles in words are solved before the model reads them."""

from __future__ import annotations

import pytest

from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.enhancer.tiny.facts import Fact
from omnireel.enhancer.tiny.puzzles import solved
from omnireel.mvl import Input, parse
from omnireel.recipes import enhancer_words
from omnireel.recipes.enhancer_data import Lesson, draw_lesson
from omnireel.shipped import SHIPPED_TINY
from omnireel.types import MediaKind, Role
from omnireel.world.tasks.catalog import CAPABILITIES

LEXICON = enhancer_words.lexicon()
KNOWN = frozenset(enhancer_words.vocabulary())
HIDDEN = frozenset({"color", "kind", "motion"})


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("A kitten in the colour of a ripe banana", "a yellow kitten"),
        ("A lady dressed in the color of the sky dances", "a girl in blue jumps"),
        ("an android jumps. Its color is that of fresh grass.", "a green android jumps ."),
        ("Mix red and white paint: a ball of that colour spins", "a pink ball spins"),
        ("a cube of the color you get when you mix yellow and blue", "a green cube"),
        ("blue plus red, robot", "purple robot"),
        ("Red, blue, red, blue. What comes next? A ball of that color.", "a red ball ."),
        ("red green blue red green, star of the next color", "blue star"),
        ("A bear walks to the left, then reverse its direction", "a bear walks to the right"),
        ("a girl toward the camera, but turn that around", "a girl away from the camera"),
        ("a cat, a red ball and a star, half of four of them", "a cat and a red ball"),
        (
            "Take three minus 2 of these: a cat, a ball. Put it on the beach.",
            "a cat on the beach .",
        ),
    ],
)
def test_a_puzzle_becomes_its_solution(said: str, answer: str) -> None:
    assert solved(LEXICON, parse(said), KNOWN).text == answer


@pytest.mark.parametrize(
    "said",
    [
        "a ball turns around",
        "a red cat in the color of the sea",  # contradicts itself
        "a dress in the color of mud",
        "a cat in a meadow, the color of the sky is pink",
        "green plus orange, ball",
        "red, blue, green: a ball of the next color",  # nothing repeats
        "a cat and a ball, five of them",
        "a cat and a ball, two less two of them",
        "turn its motion around: a cat jumps",
        "a cat walks to the left and a dog the other way",
        "a red ball and a blue ball, and then a green one",
    ],
)
def test_what_no_rule_knows_stays_as_it_is(said: str) -> None:
    prompt = parse(said)
    assert solved(LEXICON, prompt, KNOWN) is prompt


def test_puzzles_about_pictures_stay_as_they_are() -> None:
    image = Input("Image_1", MediaKind.IMAGE, Role.FIRST_FRAME)
    prompt = parse("a ball in the color of grass in @Image_1", [image])
    assert solved(LEXICON, prompt, KNOWN) is prompt


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_all_puzzles_of_the_world_in_words_are_solved(split: str) -> None:
    puzzles = [lesson for lesson in _lessons("C23", split, 80) if not lesson.media]
    assert len(puzzles) > 30
    for lesson in puzzles:
        answer = solved(LEXICON, lesson.prompt, KNOWN)
        assert answer is not lesson.prompt, lesson.prompt.text
        asked, told = _hidden(lesson.answer.description), _hidden(answer.text)
        assert told - _hidden("green") <= asked, answer.text  # meadows are green as well


def test_no_other_request_is_taken_for_a_puzzle() -> None:
    for capability in sorted(set(CAPABILITIES) - {"C23"}):
        for lesson in _lessons(capability, "held_out", 12):
            assert solved(LEXICON, lesson.prompt, KNOWN) is lesson.prompt


def test_the_enhancer_tells_the_solution() -> None:
    enhancer = TinyEnhancer.load(SHIPPED_TINY / "enhancer")
    result = enhancer.enhance(parse("cone in the color of fresh grass"), {})
    assert not result.fallback_reason
    assert "green cone" in result.prompt.text.lower()
    about_picture = next(
        lesson
        for lesson in _lessons("C23", "held_out", 40)
        if lesson.media and "next" in lesson.prompt.text
    )
    result = enhancer.enhance(about_picture.prompt, about_picture.media)
    assert "solve" in result.fallback_reason


def _lessons(capability: str, split: str, count: int) -> list[Lesson]:
    return [draw_lesson(capability, seed, split, LEXICON) for seed in range(count)]


def _hidden(text: str) -> set[Fact]:
    stated = (facts[0] for facts in LEXICON.stated(text) if len(facts) == 1)
    return {fact for fact in stated if fact.group in HIDDEN}
