"""Every text has a tokenization; mentions carry the source that they name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from omnireel.model.text import BEGIN, MENTION, UNKNOWN, Tokenizer
from omnireel.mvl.prompt import Element, MentionPart, Prompt, TextPart

WORDS = ("red", "ball", ",", ".", "rolls")


def test_known_words_are_one_token_and_others_are_spelled():
    tokens = Tokenizer(WORDS).encode(Prompt((TextPart("Red ball, zig"),)), {})
    assert len(tokens.ids) == 1 + 3 + 3
    assert tokens.ids[0] == BEGIN
    assert len(set(tokens.ids)) == 1 + 3 + 3


def test_a_mention_is_one_token_with_its_source():
    prompt = Prompt((MentionPart("Hero"), TextPart(" rolls")), elements=(Element("Hero"),))
    tokens = Tokenizer(WORDS).encode(prompt, {"Hero": 3})
    assert tokens.ids[1] == MENTION
    assert tokens.sources == (0, 3, 0)


@given(st.text(max_size=200))
def test_any_text_can_be_tokenised(words):
    tokenizer = Tokenizer(WORDS, max_tokens=64)
    tokens = tokenizer.encode(Prompt((TextPart(words),)), {})
    assert len(tokens.ids) == len(tokens.sources) <= 64
    assert all(0 <= i < len(tokenizer) for i in tokens.ids)


def test_foreign_characters_are_unknown_not_lost():
    assert UNKNOWN in Tokenizer(WORDS).encode(Prompt((TextPart("red \u706b"),)), {}).ids
