"""What a draft must not do: lose a fact, mix up colours, invent a subject, or guess at pictures.

A model of a million parameters makes such mistakes; all of them can be seen in the text, so a draft
with one is thrown away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from omnireel.enhancer.schema import StructureError
from omnireel.enhancer.tiny.binding import lost_sides, mixed_up, swapped_motions
from omnireel.enhancer.tiny.copied import misplaced
from omnireel.enhancer.tiny.dialogue import Dialogue
from omnireel.enhancer.tiny.edits import (
    CLAUSE,
    edits,
    lost_newcomers,
    lost_removals,
    made_up_things,
    replaced_by_itself,
)
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.enhancer.tiny.untaught import IN_PUZZLES, PUZZLE, has_shot
from omnireel.enhancer.tiny.unwanted import shown_unwanted
from omnireel.enhancer.tiny.vocabulary import THINK_END
from omnireel.mvl.prompt import MentionPart, Prompt
from omnireel.types import Role

SURE = 0.5
"""Least probability of a colour or kind that the model says it sees."""
_COPY = re.compile(r"<w\d>")
_SLOT = re.compile(r"<[mw]\d>")
_NUMBER = re.compile(r"\b(two|three|four|[2-9])\b")
"""Numbers that are read as they stand; all others are copied through."""
_BORROWED_PLACE = re.compile(r"(background of|place of|scene shown in|scene of) (<m|@)")
_SOME = "(thing|something|object|someone|figure|character|toy)"
_SOME_SUBJECT = re.compile(rf"\b{_SOME}\b")
_COMPANY = re.compile(rf"\b(plus|and|with) ((an?|some) )?(little )?{_SOME}\b")
"""How people ask for a second subject and leave open which."""
_TWICE = re.compile(r"(?<!\S)((?:[a-z0-9<>]+ ){0,2}[a-z0-9<>]+) \1(?!\w)")


@dataclass(frozen=True)
class Draft:
    """An answer with slots, and the words in it that were guesses at what pictures show."""

    text: str
    unsure: frozenset[str] = frozenset()


def unsure_words(tokens: Sequence[str], probabilities: Sequence[float]) -> frozenset[str]:
    """Words of the thought's part on pictures ("sees ... ;") with a probability below ``SURE``."""
    if "sees" not in tokens[:2]:
        return frozenset()
    ends = [i for i, token in enumerate(tokens) if token in (";", THINK_END)]
    seen = range(ends[0] if ends else len(tokens))
    return frozenset(tokens[i] for i in seen if probabilities[i] < SURE)


def check_known(lexicon: Lexicon, dialogue: Dialogue) -> None:
    """Check that the model knows anything of what a prompt without media speaks of.

    Raises:
        StructureError: it would make up all but words that it does not know.
    """
    if dialogue.copies and not dialogue.names and not lexicon.stated(dialogue.text):
        words = ", ".join(f"'{word}'" for word in dialogue.copies)
        raise StructureError(f"the tiny enhancer does not know {words}")


@dataclass(frozen=True)
class Case:
    """A description ``written`` by a draft (with slots), and what it was written for."""

    lexicon: Lexicon
    prompt: Prompt
    dialogue: Dialogue
    written: str
    unsure: frozenset[str] = frozenset()
    """See :class:`Draft`."""

    @property
    def said(self) -> str:
        """What the user said, with slots."""
        return self.dialogue.text

    @property
    def puzzle(self) -> bool:
        """Whether the user asks for something that has to be worked out first."""
        return PUZZLE.search(self.said) is not None


@dataclass(frozen=True)
class Check:
    """What must not be found in a description. ``fault`` names it to the user where it has "{}"."""

    fault: str
    find: Callable[[Case], Sequence[Fact | str]]


CHECKS = (
    Check("the rewritten prompt would have lost {}", lambda c: lost_facts(*_texts(c))),
    Check("the tiny enhancer does not know {}", lambda c: _lost_copies(c)),
    Check(
        "the tiny enhancer does not know what {} means here",
        lambda c: list(map(c.dialogue.restore, misplaced(c.lexicon, c.said, c.written))),
    ),
    Check("the rewritten prompt would have lost {}", lambda c: _lost_number(c)),
    Check(
        "the rewritten prompt would show {}",
        lambda c: shown_unwanted(c.lexicon, c.said, c.dialogue.unwanted, c.written),
    ),
    Check("the rewritten prompt would have added {}", lambda c: added_subjects(*_texts(c))),
    Check(
        "the rewritten prompt would have lost the second subject",
        lambda c: ["it"] if lonely(*_texts(c), names=c.dialogue.names) else [],
    ),
    Check(
        "the rewritten prompt would replace {} with itself",
        lambda c: replaced_by_itself(c.lexicon, c.prompt, c.written),
    ),
    Check(
        "the rewritten prompt would not put {} in the place of another",
        lambda c: lost_newcomers(*_texts(c)),
    ),
    Check("the rewritten prompt would not remove {}", lambda c: lost_removals(*_texts(c))),
    Check("the rewritten prompt would have added {}", lambda c: made_up_things(*_texts(c))),
    Check(
        "the rewritten prompt would say {} twice",
        lambda c: [again] if (again := said_twice(c.written)) else [],
    ),
    Check(
        "the rewritten prompt would have mixed up the colour of {}",
        lambda c: mixed_up(c.lexicon, c.said, c.written),
    ),
    Check(
        "the rewritten prompt would have mixed up what {} does",
        lambda c: [] if c.puzzle else swapped_motions(c.lexicon, c.said, c.written),
    ),
    Check(
        "the rewritten prompt would have put {} in another place",
        lambda c: [] if c.puzzle else lost_sides(c.lexicon, c.said, c.written),
    ),
    Check("the tiny enhancer cannot make out what the given pictures show", lambda c: _guessed(c)),
)
"""In the order in which a user hears of them, for only the first fault is named: what was lost or
not understood, then what was added, then what was mixed up; a guess comes last, for it may be
right."""


def check_draft(case: Case) -> None:
    """Check the description of a draft.

    Raises:
        StructureError: it must not be used; the message says why.
    """
    for check in CHECKS:
        if found := check.find(case):
            raise StructureError(check.fault.format(_names(found)))


def _texts(case: Case) -> tuple[Lexicon, str, Prompt, str]:
    return case.lexicon, case.said, case.prompt, case.written


def _lost_copies(case: Case) -> list[str]:
    """Words that the model copies through and this description does not have."""
    lost = set(_COPY.findall(case.said)) - set(_COPY.findall(case.written))
    return [case.dialogue.restore(slot) for slot in sorted(lost)]


def _lost_number(case: Case) -> list[str]:
    """The first number that the description does not have."""
    lost = set[str]() if case.puzzle else _numbers(case.said) - _numbers(case.written)
    return sorted(lost)[:1]


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text.lower()))


def _guessed(case: Case) -> list[Fact]:
    """Colours and kinds that nobody named and the model is not sure to see."""
    stated = {fact for facts in case.lexicon.stated(case.said) for fact in facts}
    return [
        facts[0]
        for facts in case.lexicon.stated(case.written)
        if facts[0].group in ("color", "kind")
        and not stated.intersection(facts)
        and case.unsure.intersection(facts[0].written)
    ]


def check_subjects(lexicon: Lexicon, subjects: Sequence[str]) -> None:
    """Check that each of an answer's subjects (with slots) is somebody or something.

    Raises:
        StructureError: one is not, as "a blue evening".
    """
    for subject in subjects:
        named = (facts[0].group == "kind" for facts in lexicon.stated(subject))
        if not (_SLOT.search(subject) or _SOME_SUBJECT.search(subject) or any(named)):
            raise StructureError(f"the rewritten prompt would speak of '{subject}'")


def lost_facts(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Facts that the user said and the description ``written`` does not; what it takes from a
    given video or picture instead ("moves as in <m0>") is not lost, nor what a puzzle speaks of."""
    roles = {i.role for i in prompt.inputs}
    ignore = {"motion"} if roles & {Role.MOTION, Role.SOURCE} else set[str]()
    if _BORROWED_PLACE.search(written):
        ignore.add("place")
    if not has_shot(prompt):
        ignore.add("view")  # a ball that "rolls in from the left" is no camera
    if Role.ANNOTATION in roles:
        ignore.add("style")  # who gives a sketch speaks of it, and does not ask for one
    if PUZZLE.search(said):
        ignore |= IN_PUZZLES
    return [facts[0] for facts in lexicon.lost(said, written, ignore=frozenset(ignore))]


def added_subjects(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Subjects that nobody asked for: a kind twice, or one more than the user named.

    Edits speak of what the video shows, and "something" or a prompt without any subject asks for
    one, so there only a doubled kind counts.
    """
    if edits(prompt):
        return []
    kinds = [facts[0] for facts in lexicon.stated(written) if facts[0].group == "kind"]
    doubled = [fact for fact, count in Counter(kinds).items() if count > 1]
    asked = asked_kinds(lexicon, said, prompt)
    if asked is None:
        return doubled
    return doubled or [fact for fact in kinds if fact not in asked]


def lonely(lexicon: Lexicon, said: str, prompt: Prompt, written: str, names: Sequence[str]) -> bool:
    """Whether a description names one subject where the user wants company for it ("plus
    something"). ``names`` are those of the slots."""
    if not _COMPANY.search(said) or edits(prompt):
        return False
    kinds = sum(facts[0].group == "kind" for facts in lexicon.stated(written))
    shown = _subject_names(prompt)
    return kinds + sum(f"<m{i}>" in written for i, n in enumerate(names) if n in shown) < 2


def said_twice(written: str) -> str:
    """A word that stands twice in a row, or a clause that stands twice; empty without one."""
    if word := _TWICE.search(written.lower()):
        return word[1]
    clauses = Counter(clause.strip() for clause in CLAUSE.split(written.lower()))
    whole = (clause for clause, count in clauses.items() if count > 1 and clause.count(" ") > 1)
    return next(whole, "")


def asked_kinds(lexicon: Lexicon, said: str, prompt: Prompt) -> frozenset[Fact] | None:
    """The only kinds that a description may name; None: the user leaves the subject open, or goes
    on from a shot, and whoever is in it plays on."""
    if has_shot(prompt):
        return None
    asked = {fact for facts in lexicon.stated(said) for fact in facts if fact.group == "kind"}
    subjects = _subject_names(prompt)
    named = any(isinstance(p, MentionPart) and p.name in subjects for p in prompt.parts)
    if _SOME_SUBJECT.search(said) or not (asked or named or _COPY.search(said)):
        return None
    return frozenset(asked)


def _subject_names(prompt: Prompt) -> set[str]:
    """Inputs and elements that show a subject."""
    references = {i.name for i in prompt.inputs if i.role is Role.REFERENCE}
    return references | {e.name for e in prompt.elements}


def _names(found: Sequence[Fact | str]) -> str:
    words = (f if isinstance(f, str) else f.name.replace("_", " ") for f in dict.fromkeys(found))
    return ", ".join(f"'{word}'" for word in words)
