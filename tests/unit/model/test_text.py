"""Every text has a tokenization; mentions carry the source that they name."""

from __future__ import annotations

import pytest
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


def long_prompt() -> Prompt:
    hero, hat = MentionPart("Hero"), MentionPart("Hat")
    parts = (TextPart("red "), hero, TextPart(" rolls ball, zigzag, under "), hat, hero)
    return Prompt(parts, elements=(Element("Hero"), Element("Hat")))


SOURCES = {"Hero": 1, "Hat": 2}


def test_a_prompt_within_the_limit_is_read_whole():
    whole = Tokenizer(WORDS, max_tokens=100).encode(long_prompt(), SOURCES)
    exactly = Tokenizer(WORDS, max_tokens=len(whole.ids))
    assert exactly.encode(long_prompt(), SOURCES) == whole
    assert exactly.unread_words(long_prompt()) == 0


def test_text_is_cut_before_mentions_are():
    tokenizer = Tokenizer(WORDS, max_tokens=8)
    tokens = tokenizer.encode(long_prompt(), SOURCES)
    red, rolls, ball = (tokenizer.ids[w] for w in ("red", "rolls", "ball"))
    assert tokens.ids == (BEGIN, red, MENTION, rolls, ball, tokenizer.ids[","], MENTION, MENTION)
    assert tokens.sources == (0, 0, 1, 0, 0, 0, 2, 1)
    assert tokenizer.unread_words(long_prompt()) == 2


@pytest.mark.parametrize(("room", "sources"), [(3, (0, 1, 2)), (4, (0, 1, 2, 1))])
def test_every_name_is_mentioned_before_one_is_repeated(room, sources):
    tokens = Tokenizer(WORDS, max_tokens=room).encode(long_prompt(), SOURCES)
    assert tokens.sources == sources


@given(st.text(max_size=200), st.integers(1, 40))
def test_what_is_cut_of_plain_text_is_its_end(words, room):
    prompt = Prompt((TextPart(words),))
    whole = Tokenizer(WORDS, max_tokens=1000).encode(prompt, {})
    assert Tokenizer(WORDS, room).encode(prompt, {}).ids == whole.ids[:room]


def test_punctuation_alone_is_no_unread_word():
    prompt = Prompt((TextPart("red ball rolls ... !"),))
    assert Tokenizer(WORDS, max_tokens=4).unread_words(prompt) == 0
    assert Tokenizer(WORDS, max_tokens=3).unread_words(prompt) == 1
