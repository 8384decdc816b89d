"""Texts that are not rewritten are told in words that the generator knows."""

from __future__ import annotations

import pytest

from omnireel.enhancer.tiny.word_for_word import word_for_word
from omnireel.mvl import Element, Input, parse
from omnireel.recipes import enhancer_words
from omnireel.types import MediaKind

LEXICON = enhancer_words.lexicon()
KNOWN = frozenset(enhancer_words.vocabulary())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "A lady juggles crimson orbs, on the shore.",
            "A girl juggles red ball, on the beach.",
        ),
        ("two kittens leaping", "two cat jumping"),
        ("shaky footage of a droid", "the camera shakes of a robot"),
        ("a pencil drawing of a cat", "a pencil drawing of a cat"),
        ("a kid (and a dog)", "a kid (and a dog)"),
        ("a Dragon juggles, no rain", "a Dragon juggles"),
        ("no cat", "no cat"),
    ],
)
def test_words_with_a_counterpart_are_replaced(said: str, told: str) -> None:
    assert word_for_word(LEXICON, parse(said), KNOWN).text.lower() == told.lower()


def test_a_text_without_such_words_comes_back_itself() -> None:
    prompt = parse("A Dragon  juggles")
    assert word_for_word(LEXICON, prompt, KNOWN) is prompt


def test_where_media_are_given_words_may_speak_of_them() -> None:
    image = parse("a kitten in the box of @Image_1", [Input("Image_1", MediaKind.IMAGE)])
    assert word_for_word(LEXICON, image, KNOWN) is image
    element = parse("the kitten @Hero", [], [Element("Hero")])
    assert word_for_word(LEXICON, element, KNOWN) is element
