"""Many ways to say the same: how the wording of a lesson is varied.

Every change keeps question and answer consistent: synonyms and empty words touch the question only;
words that nobody knows go into both, so that the model learns to copy them.
"""

from __future__ import annotations

import re

import numpy as np

from omnireel.enhancer.schema import StructuredPrompt
from omnireel.enhancer.tiny.facts import Lexicon
from omnireel.recipes import enhancer_words as words


def vary(
    question: str,
    answer: StructuredPrompt,
    sees: str,
    lexicon: Lexicon,
    rng: np.random.Generator,
) -> tuple[str, StructuredPrompt, str]:
    """Other words for the same facts, empty words, courtesies, and words that nobody knows."""
    texts = {**vars(answer), "subjects": "|".join(answer.subjects), "sees": sees}
    if question != answer.description and rng.random() < 0.4:
        question = _with_synonym(question, lexicon, rng)
    if rng.random() < 0.25:
        question, texts = _with_unknown(question, texts, lexicon, rng)
    if rng.random() < 0.2:
        at = _first_fact(question, lexicon, ("color", "kind"))
        if at:
            filler = str(rng.choice(words.FILLERS))
            question = question.replace(at, f"{filler} {at}", 1)
    if rng.random() < 0.2 and not question.startswith("@"):
        question = f"{rng.choice(words.OPENINGS)} {question[0].lower()}{question[1:]}"
    if rng.random() < 0.1:
        question = f"{question.rstrip('.')} {rng.choice(words.ENDINGS)}"
    sees = texts.pop("sees")
    subjects = tuple(s for s in texts.pop("subjects").split("|") if s)
    return question, StructuredPrompt(subjects=subjects, **texts), sees


def _with_synonym(question: str, lexicon: Lexicon, rng: np.random.Generator) -> str:
    for facts in lexicon.stated(question):
        fact = facts[0]
        if len(facts) == 1 and fact.group in ("color", "kind", "motion", "place", "style"):
            here = _phrase(question, fact.said)
            if here and rng.random() < 0.7:
                question = _swap(question, here, str(rng.choice(fact.said)))
    return question


def _with_unknown(
    question: str, texts: dict[str, str], lexicon: Lexicon, rng: np.random.Generator
) -> tuple[str, dict[str, str]]:
    """Put made-up words for a noun, a colour or an adjective into question and answer."""
    stated = [f[0] for f in lexicon.stated(question) if len(f) == 1]
    for fact in stated:
        if fact.group not in ("color", "kind"):
            continue
        here = _phrase(question, fact.said)
        if not here or not re.search(rf"\b{fact.written[0]}\b", texts["description"]):
            continue
        word = _made_up(rng)
        if rng.random() < 0.4:
            new_question, form = f"{word} {here}", f"{word} {fact.written[0]}"
        else:
            new_question, form = word, word
        question = _swap(question, here, new_question)
        texts = {k: _swap(t, fact.written[0], form) for k, t in texts.items()}
        if rng.random() < 0.6:
            break
    return question, texts


def _made_up(rng: np.random.Generator) -> str:
    syllables = ("zor", "plu", "vek", "dri", "mox", "qua", "fib", "jun", "tra", "gly", "nep", "sko")
    return "".join(rng.choice(syllables, size=int(rng.integers(2, 4))))


def _phrase(text: str, phrases: tuple[str, ...]) -> str:
    found = [p for p in phrases if re.search(rf"\b{re.escape(p)}\b", text)]
    return max(found, key=len, default="")


def _swap(text: str, old: str, new: str) -> str:
    return re.sub(rf"\b{re.escape(old)}\b", new, text)


def _first_fact(text: str, lexicon: Lexicon, groups: tuple[str, ...]) -> str:
    for facts in lexicon.stated(text):
        if facts[0].group in groups:
            return _phrase(text, facts[0].said)
    return ""
