"""Rewards that can be computed: how good an answer of the enhancer is, from its text alone.

Each is in 0..1; the total is their weighted mean. An answer that does not parse gets nothing.

- ``facts``: what the user said and the pictures show is kept, with every colour on its subject, and
  nothing contradicts it. Half of it is for losing nothing at all: one lost fact spoils a prompt.
- ``richness``: subject, colour, motion and place are told, and the sections of the answer filled.
- ``plausibility``: no added subject, no words of the schema, no repetition, no heap of colours.
- ``closeness``: it sounds like the captions of the training set (``enhancer_closeness``).
- ``form``: all sections in order, ended, all mentions and copied words kept, no unknown slot.

Each can be cheated alone (say everything, say little, say it twice); what cheats one costs more in
another.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields

from omnireel.enhancer.schema import StructuredPrompt, StructureError, parse_structured
from omnireel.enhancer.tiny.checks import added_subjects, lost_facts
from omnireel.enhancer.tiny.dialogue import Dialogue
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.enhancer.tiny.vocabulary import CLOSE, KEYS, OPEN, key_token
from omnireel.errors import InvalidInput
from omnireel.mvl.prompt import Prompt

_EXCLUSIVE = ("place", "style", "camera", "weather")
"""Groups of which a scene has one."""
_TOLD = ("kind", "color", "motion", "place")
"""Groups that every full caption tells."""
_SECTIONS = ("subjects", "summary", "motion", "camera", "style", "kept")
_SHOWN = ("color", "kind", "place", "style")
_SCHEMA = frozenset({"subjects", "summary", "kept", "description", "json", "sees", "said"})
_COPY = re.compile(r"<w\d>")
_MENTION = re.compile(r"<m\d>")
_DISTINCT = 0.8
"""Share of different word triples below which a text repeats itself."""


@dataclass(frozen=True)
class RewardConfig:
    """Weights of the rewards in the total."""

    facts: float = 0.45
    richness: float = 0.1
    plausibility: float = 0.25
    closeness: float = 0.1
    form: float = 0.1

    def __post_init__(self) -> None:
        weights = [getattr(self, f.name) for f in fields(self)]
        if min(weights) < 0 or sum(weights) <= 0:
            raise InvalidInput("weights must not be negative, nor all 0", field="rewards")

    def total(self, terms: dict[str, float]) -> float:
        """The weighted mean."""
        weights: dict[str, float] = {f.name: getattr(self, f.name) for f in fields(self)}
        whole = sum(weights.values())
        return sum(weights[name] * terms[name] for name in weights) / whole


@dataclass(frozen=True, eq=False)
class RewardCase:
    """What an answer is judged by. All texts have slots (``<m0>``, ``<w0>``)."""

    prompt: Prompt
    dialogue: Dialogue
    sees: str
    """What the pictures truly show."""
    right: StructuredPrompt
    """The answer that the scene gives."""


@dataclass(frozen=True, eq=False)
class Judge:
    """Computes the rewards of answers."""

    lexicon: Lexicon
    closeness: Callable[[str], float]
    config: RewardConfig = RewardConfig()

    def __call__(self, case: RewardCase, text: str, *, ended: bool) -> dict[str, float]:
        """Every reward and the "total" of an answer's ``text``, thought included."""
        try:
            answer = parse_structured(text)
        except StructureError:
            return dict.fromkeys([*(f.name for f in fields(RewardConfig)), "total"], 0.0)
        written = answer.description
        terms = {
            "facts": facts(self.lexicon, case, written),
            "richness": richness(self.lexicon, case, answer),
            "plausibility": plausibility(self.lexicon, case, written),
            "closeness": self.closeness(written),
            "form": form(case, text, written, ended=ended),
        }
        return {**terms, "total": self.config.total(terms)}


def facts(lexicon: Lexicon, case: RewardCase, written: str) -> float:
    """Share of the known facts that are kept, less what contradicts them; half of it for all."""
    said = case.dialogue.text
    stated = _facts(lexicon, said)
    right = _facts(lexicon, case.right.description)
    shown = {f for f in (_facts(lexicon, case.sees) & right) - stated if f.group in _SHOWN}
    known = {fact for facts in lexicon.stated(said) for fact in facts} | shown
    pairs = {
        (kind, color)
        for kind, color in lexicon.coloured(case.right.description)
        if {kind, color} <= known
    }
    have = _facts(lexicon, written)
    wrong = len(lost_facts(lexicon, said, case.prompt, written))
    wrong += len(shown - have) + len(pairs - set(lexicon.coloured(written)))
    wrong += sum(
        len({f for f in have - known if f.group == group})
        for group in _EXCLUSIVE
        if any(f.group == group for f in known)
    )
    total = len(lexicon.stated(said)) + len(shown) + len(pairs)
    share = max(0.0, 1.0 - wrong / max(total, 1))
    return 0.5 * share + 0.5 * (wrong == 0)


def richness(lexicon: Lexicon, case: RewardCase, answer: StructuredPrompt) -> float:
    """How much of what a full caption tells is told. More than the right answer gains nothing."""
    have = _facts(lexicon, answer.description)
    right = _facts(lexicon, case.right.description)
    wanted = {g: sum(f.group == g for f in right) for g in _TOLD}
    told = {g: sum(f.group == g for f in have) for g in _TOLD}
    shares = [min(1.0, told[g] / wanted[g]) for g in _TOLD if wanted[g]]
    shares += [float(bool(getattr(answer, s))) for s in _SECTIONS if getattr(case.right, s)]
    return sum(shares) / len(shares) if shares else 1.0


def plausibility(lexicon: Lexicon, case: RewardCase, written: str) -> float:
    """1 for a text that could be a caption; each fault takes its share."""
    words = re.findall(r"<?\w+>?", written)
    if not words or _SCHEMA.intersection(words) or '"' in written:
        return 0.0
    if added_subjects(lexicon, case.dialogue.text, case.prompt, written):
        return 0.0
    marks = 1.0
    triples = list(zip(words, words[1:], words[2:], strict=False))
    if triples:
        marks *= min(1.0, len(set(triples)) / len(triples) / _DISTINCT)
    for group in ("color", "kind"):
        have = sum(f.group == group for f in _facts(lexicon, written))
        wanted = sum(f.group == group for f in _facts(lexicon, case.right.description))
        marks /= 1 + max(0, have - max(wanted, 1) - (group == "color"))
    longest = 1.5 * len(case.right.description.split()) + 5
    return marks * min(1.0, longest / len(words))


def form(case: RewardCase, text: str, written: str, *, ended: bool) -> float:
    """Thirds for: the sections once and in order, and an end; mentions; copied words."""
    marks = [OPEN, *(key_token(key) for key in KEYS[1:]), CLOSE]
    places = [text.find(mark) for mark in marks]
    whole = -1 not in places and places == sorted(places)
    whole = whole and all(text.count(mark) == 1 for mark in marks[:-1])
    said = case.dialogue.text
    wanted, found = set(_MENTION.findall(said)), set(_MENTION.findall(written))
    given = {f"<m{i}>" for i in range(len(case.dialogue.names))}
    copies, copied = set(_COPY.findall(said)), set(_COPY.findall(written))
    return ((ended and whole) + (wanted <= found <= given) + (copied == copies)) / 3


def _facts(lexicon: Lexicon, text: str) -> set[Fact]:
    """Facts of ``text`` that have one reading."""
    return {found[0] for found in lexicon.stated(text) if len(found) == 1}
