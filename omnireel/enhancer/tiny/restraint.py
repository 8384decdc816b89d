"""Words that a draft may not use where it stands: a wrong one is not written in the first place.

The check throws a draft away that names a subject twice or one that nobody asked for. A small model
does that often ("a purple cylinder and a purple cylinder"), and knows the right word second best.
So in every section of an answer a kind can be named once, and only if it was asked for; where the
user leaves the subject open, all kinds can. The check itself stays as it is.

Patterns and things to wear are the user's to ask for: made up ("wearing a blue backpack"), their
colour gets mixed up with the one that was asked for.

Edits of a video speak of what it shows, and replace one thing "with" another: there only patterns
are left out. Who names a kind twice wants two of them: there nothing is restrained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from omnireel.enhancer.tiny.checks import asked_kinds
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.enhancer.tiny.vocabulary import AND, KEYS, STRUCTURE, key_token
from omnireel.enhancer.tiny.writing import Rule
from omnireel.mvl.prompt import Prompt
from omnireel.types import Role

_LEAST = 1e-30
_PATTERNS = frozenset({"texture"})
_LOOKS = _PATTERNS | {"prop"}
_WORN = frozenset({"wearing", "wears", "with"})
"""How a caption goes on to what a subject wears or is patterned with."""


def restrained(
    rule: Rule, lexicon: Lexicon, tokenizer: PreTrainedTokenizerFast, said: str, prompt: Prompt
) -> Rule:
    """``rule`` with the restraint that suits a prompt; ``said`` is its text with slots."""
    stated = [facts[0] for facts in lexicon.stated(said) if facts[0].group == "kind"]
    if any(count > 1 for count in Counter(stated).values()):
        return rule
    if any(i.role is Role.SOURCE for i in prompt.inputs):
        looks = _speaks_of_looks(lexicon, said)
        patterns = _words_of([] if looks else _in_groups(lexicon, _PATTERNS))
        return Without(rule, tokenizer, patterns)
    return Restraint(
        rule,
        lexicon,
        tokenizer,
        asked_kinds(lexicon, said, prompt),
        plain=not _speaks_of_looks(lexicon, said),
    )


class Without:
    """A rule of choice that never writes some words."""

    def __init__(
        self, rule: Rule, tokenizer: PreTrainedTokenizerFast, words: frozenset[str]
    ) -> None:
        self._rule = rule
        vocabulary = tokenizer.get_vocab()
        self._never = torch.tensor(sorted(vocabulary[w] for w in words if w in vocabulary)).long()

    def __call__(self, probabilities_BV: Tensor) -> Tensor:
        """Choose among what is left."""
        return self._rule(probabilities_BV.clamp_min(_LEAST).index_fill(-1, self._never, 0.0))


class EndsAsSaid:
    """A rule of choice under which the subjects of an edit have colours that the user named.

    "Make the ball green", and the model sees that it is red: its subjects, which an answer begins
    with, are often those of the video then, and the edit is lost.
    """

    def __init__(
        self, rule: Rule, lexicon: Lexicon, tokenizer: PreTrainedTokenizerFast, said: str
    ) -> None:
        self._rule = rule
        self._end = int(tokenizer.convert_tokens_to_ids(key_token(KEYS[1])))
        vocabulary = tokenizer.get_vocab()
        named = {fact for facts in lexicon.stated(said) for fact in facts}
        colors = _in_groups(lexicon, frozenset({"color"}))
        others = _words_of(fact for fact in colors if fact not in named)
        self._others = torch.tensor(sorted(vocabulary[w] for w in others if w in vocabulary))
        self._open: Tensor | None = None

    def __call__(self, probabilities_BV: Tensor) -> Tensor:
        """Choose among what is left."""
        if self._open is None:
            self._open = torch.ones(len(probabilities_BV), dtype=torch.bool)
        left_BV = probabilities_BV.clamp_min(_LEAST)
        left_BV[self._open.nonzero(), self._others] = 0.0
        token_B = self._rule(left_BV)
        self._open &= token_B != self._end
        return token_B


def _in_groups(lexicon: Lexicon, groups: frozenset[str]) -> list[Fact]:
    return [fact for fact in lexicon.facts if fact.group in groups]


def _words_of(facts: Iterable[Fact]) -> frozenset[str]:
    return frozenset(word for fact in facts for word in (*fact.said, *fact.written))


def names_a_color(lexicon: Lexicon, said: str, prompt: Prompt) -> bool:
    """Whether :class:`EndsAsSaid` suits a prompt: an edit that names a colour."""
    stated = (fact for facts in lexicon.stated(said) for fact in facts)
    edits = any(i.role is Role.SOURCE for i in prompt.inputs)
    return edits and any(fact.group == "color" for fact in stated)


def _speaks_of_looks(lexicon: Lexicon, said: str) -> bool:
    return any(fact.group in _LOOKS for facts in lexicon.stated(said) for fact in facts)


class Restraint:
    """A rule of choice that leaves words out; the model's certainty is not changed."""

    def __init__(
        self,
        rule: Rule,
        lexicon: Lexicon,
        tokenizer: PreTrainedTokenizerFast,
        asked: frozenset[Fact] | None,
        *,
        plain: bool,
    ) -> None:
        """``asked``: the only kinds that may be named; None: all. ``plain``: no patterns, and
        nothing worn."""
        self._rule = rule
        starts = [token for token in STRUCTURE if token != AND]
        self._sections = set(tokenizer.convert_tokens_to_ids(starts))
        vocabulary = tokenizer.get_vocab()
        self._words = {
            fact: frozenset(vocabulary[w] for w in (*fact.said, *fact.written) if w in vocabulary)
            for fact in lexicon.facts
            if fact.group == "kind"
        }
        self._never: frozenset[int] = frozenset()
        if asked is not None:
            # A word with several readings is fine when one of them was asked for.
            fine = frozenset[int]().union(*(self._words[fact] for fact in asked))
            self._never = frozenset[int]().union(*self._words.values()) - fine
        if plain:
            looks = _words_of(_in_groups(lexicon, _LOOKS)) | _WORN
            self._never |= {vocabulary[word] for word in looks if word in vocabulary}
        self._named: list[set[int]] | None = None

    def __call__(self, probabilities_BV: Tensor) -> Tensor:
        """Choose among what is left."""
        if self._named is None:
            self._named = [set() for _ in probabilities_BV]
        left_BV = probabilities_BV.clamp_min(_LEAST)  # something is left, however sure the model
        for row, named in enumerate(self._named):
            if left_out := sorted(self._never | named):
                left_BV[row, torch.tensor(left_out)] = 0.0
        token_B = self._rule(left_BV)
        self._remember(token_B.tolist())
        return token_B

    def _remember(self, tokens: Sequence[int]) -> None:
        assert self._named is not None
        for named, token in zip(self._named, tokens, strict=True):
            if token in self._sections:
                named.clear()
            for words in self._words.values():
                if token in words:
                    named |= words
