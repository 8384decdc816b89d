"""Words that the model does not know stand where they stood."""

from __future__ import annotations

import pytest

from omnireel.enhancer.tiny.copied import misplaced, unknown_actions
from omnireel.recipes import enhancer_words

LEXICON = enhancer_words.lexicon()


@pytest.mark.parametrize(
    ("said", "written", "slots"),
    [
        ("a <w0> cat in the park", "a <w0> cat is walking in a meadow", []),
        ("a <w0> red cat", "a red <w0> cat", []),
        ("a cat <w0> on the beach", "a <w0> cat on the beach", ["<w0>"]),
        ("a boy walks his <w0>", "a boy <w0> walks", ["<w0>"]),
        ("a <w0> and a cube", "a <w0> cube moves left", ["<w0>"]),
        ("the <w0> one on blue", "the boy in <w0>", []),
        ("girl in <w0>", "a girl in <w0> clothes", []),
        ("sunset behind the <w0>", "a cat in <w0> clothes", ["<w0>"]),
        ("a <w0> <w1>", "a <w0> <w1> walks", []),
    ],
)
def test_who_is_described_by_whom(said: str, written: str, slots: list[str]) -> None:
    assert misplaced(LEXICON, said, written) == slots


@pytest.mark.parametrize(
    ("said", "copies", "verbs"),
    [
        ("a cat <w0> loudly", ("purrs",), ["purrs"]),
        ("<w0> <w1> <w2>", ("dogs", "chasing", "cats"), ["chasing", "cats"]),
        ("<m0> <w0> the <w1>", ("plays", "piano"), ["plays"]),
        ("a girl <w0> <w1> in a room", ("plays", "chess"), ["plays", "chess"]),
        ("a <w0> bus", ("yellowed",), []),
        ("a cat named <w0>", ("Alis",), []),
        ("a boy <w0>", ("boss",), []),
    ],
)
def test_what_somebody_does_is_no_adjective(
    said: str, copies: tuple[str, ...], verbs: list[str]
) -> None:
    assert unknown_actions(LEXICON, said, copies) == verbs
