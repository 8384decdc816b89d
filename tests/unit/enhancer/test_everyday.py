"""What people say, in words of the world."""

from __future__ import annotations

import re

import pytest

from omnireel.enhancer.tiny.camera_talk import as_captions_tell
from omnireel.enhancer.tiny.everyday import TABLE, WORD, forms, read_words
from omnireel.enhancer.tiny.spelling import repair
from omnireel.recipes import enhancer_words
from omnireel.world.tasks import CAPABILITIES, draw_plan

KNOWN = frozenset(enhancer_words.vocabulary())


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("A kitten scampers through the forest", "a kitten moves quickly through the meadow"),
        ("two ladies strolling on the seashore", "two girl moving slowly on the beach"),
        ("a majestic purplish orb", "a purple orb"),
        ("mechs hop for joy", "robot jumps jumping"),
        ("he sat in the living room", "stands still in the room"),
        ("POLAR BEAR in a blizzard", "white bear in a falling snow"),
        ("8-bit bunny, snowing", "pixel art bunny, in falling snow"),
        ("a Dragon named Smaug", "a Dragon named Smaug"),
        ('a "teal" cat \U0001f600 <3', "a teal cat 3"),
        ("runing in the snwo", "runing in the snwo"),
    ],
)
def test_everyday_words_are_read_as_those_of_the_world(said: str, read: str) -> None:
    assert read_words(said, KNOWN) == WORD.findall(read)


def test_every_meaning_is_known_and_no_word_of_the_world_has_another_one() -> None:
    for phrase, meaning in TABLE.items():
        assert KNOWN.issuperset(meaning), (phrase, meaning)
        for word in (w for w in phrase if w in KNOWN):
            assert read_words(word, KNOWN) == [word]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_worlds_own_words_stay_as_they_are(capability: str) -> None:
    for seed in range(40):
        plan = draw_plan(capability, seed, 2.0, "train")
        for piece in re.split(r"@\w+", f"{plan.text} @_ {plan.vague_text}"):
            repaired = [(word, repair(word.lower(), KNOWN)) for word in WORD.findall(piece)]
            plain = [meant if meant in KNOWN else word for word, meant in repaired]
            assert read_words(piece, KNOWN) == plain


def test_words_beyond_a_vocabulary_are_not_made_up() -> None:
    assert read_words("a lady in the forest", frozenset({"a", "in", "the", "girl"})) == [
        "a", "girl", "in", "the", "forest",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "finite", "gerund"),
    [
        ("run", ("run", "runs", "runned"), "running"),
        ("dash", ("dash", "dashes", "dashed"), "dashing"),
        ("race", ("race", "races", "raced"), "racing"),
        ("hurry", ("hurry", "hurries", "hurried"), "hurrying"),
        ("stroll", ("stroll", "strolls", "strolled"), "strolling"),
        ("sway", ("sway", "sways", "swayed"), "swaying"),
    ],
)
def test_forms_of_verbs(verb: str, finite: tuple[str, ...], gerund: str) -> None:
    assert forms(verb) == (finite, gerund)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Camera slowly pushes in on a cat", "the camera zooms in on a cat"),
        ("the camera is pulling back", "the camera zooms out"),
        ("cam swings to the left", "the camera pans left"),
        ("panning rightwards over the sea", "the camera pans right over the sea"),
        ("drone circling around a cube", "the camera orbits around a cube"),
        ("a bird's-eye view", "a the camera rises"),
        ("drone shot rising over it", "the camera rises over it"),
        ("hand-held footage of a bear", "the camera shakes of a bear"),
        ("the camera pans to the left", "the camera pans to the left"),
        ("a cat moves closer", "a cat moves closer"),
        ("the camera follows the path", "the camera follows the path"),
    ],
)
def test_camera_moves_are_told_as_in_captions(said: str, told: str) -> None:
    assert as_captions_tell(said) == told
