"""What a draft must not do: lose a fact, mix up colours, invent a subject, or guess at pictures.

A model of a million parameters makes such mistakes; all of them can be seen in the text, so a draft
with one is thrown away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnireel.enhancer.schema import StructureError
from omnireel.enhancer.tiny.binding import lost_sides, swapped_motions
from omnireel.enhancer.tiny.dialogue import Dialogue
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.enhancer.tiny.vocabulary import THINK_END
from omnireel.mvl.prompt import MentionPart, Prompt
from omnireel.types import MediaKind, Role

SURE = 0.5
"""Least probability of a colour or kind that the model says it sees."""
_COPY = re.compile(r"<w\d>")
_NUMBER = re.compile(r"\b(two|three|four)\b")
"""Numbers among the words that are known; all others are copied through."""
_BORROWED_PLACE = re.compile(r"(background of|place of|scene shown in|scene of) (<m|@)")
_PUZZLE = re.compile(
    r"\b((the|its|of that|next) color (of|is)|(that|next) color|"
    r"plus(?! (some\w*\b|an?\b|the\b|<m))|"
    r"less (one|two)|only one of|"
    r"from the first on|of them|turn (its|this|that|the)? ?(motion )?around|happens next)\b"
)
PUZZLES, ADDITIONS, MARKS = "C23", "C4", "C22"
"""Capabilities: puzzles, additions to a video, marks drawn on a picture."""
IN_PUZZLES = frozenset({"color", "kind", "motion", "place"})
"""What a puzzle speaks of without wanting it to be seen."""
_SOME = "(thing|something|object|someone|figure|character|toy)"
_SOME_SUBJECT = re.compile(rf"\b{_SOME}\b")
_COMPANY = re.compile(rf"\b(plus|and|with) ((an?|some) )?(little )?{_SOME}\b")
"""How people ask for a second subject and leave open which."""
_CLAUSE = re.compile(r"[,;.]| and ")
_UNWANTED = re.compile(r"\b(no|without)\b")
_REMOVES = re.compile(r"\b(remove|erase|delete|without|go away|disappear)\b")
_TWICE = re.compile(r"\b([a-z]+) \1\b")
_REPLACES = re.compile(r"\b(place of|into|for|with)\b")
_STRETCH = r"(?:(?! and )[^,;.])*"
_NEWCOMER = re.compile(
    rf"\bput (?P<placed>{_STRETCH}?) in the place of\b"
    rf"|\b(?:replace|swap|change|turn)\b{_STRETCH}?\b(?:with|for|into|to|by)\b(?P<put>{_STRETCH})"
    rf"|\bmake it\b(?P<made>{_STRETCH})"
    rf"|(?P<first>{_STRETCH}?) (?:instead|not)\b"
)
"""Where an edit names who comes in the place of another."""
_OTHER_EDIT = (
    r"(make|turn|change|remove|erase|replace|swap|recolor|color|paint|dress|give|set|let|cut)\b"
)
_TO_ONE = r".*\b(to|on) (the|that|this|it|him|her|them)\b"
_ADDITION = re.compile(
    rf"^add (?!{_TO_ONE})|^also (?!{_OTHER_EDIT})|^put\b.*\bin there\b|^(?!{_OTHER_EDIT}).*\btoo$"
)
"""How people ask for one more subject in a video."""
_SEVERAL = re.compile(r"[,;]| and |<m[1-9]>")
_MARKS = re.compile(r"\barrow\b|\bin the box\b|\bbox (for|is|marked|drawn)\b")
"""What is drawn on a picture to tell where something is or goes."""


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


def untaught(lexicon: Lexicon, prompt: Prompt, said: str, tasks: Sequence[str]) -> str:
    """Why a model that rewrites ``tasks`` (names of capabilities) should not touch a prompt whose
    text with slots is ``said``: it would write of the one task that looks most like it."""
    videos = {i.role for i in prompt.inputs if i.kind is MediaKind.VIDEO}
    shots = _has_shot(prompt)
    if "C13" not in tasks and shots:
        return "the tiny enhancer was not taught shots before and after a video"
    if PUZZLES not in tasks and not shots and _PUZZLE.search(said):
        return "the tiny enhancer does not solve puzzles"
    if ADDITIONS not in tasks and Role.SOURCE in videos and _asks_for_more(lexicon, said):
        return "the tiny enhancer does not see where a video has room for more"
    if MARKS not in tasks and prompt.inputs and not videos and _MARKS.search(said):
        return "the tiny enhancer does not see what marks on a picture stand for"
    return ""


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text.lower()))


def _asks_for_more(lexicon: Lexicon, said: str) -> bool:
    named = any(fact.group == "kind" for facts in lexicon.stated(said) for fact in facts)
    return bool(named and _ADDITION.search(said) and not _SEVERAL.search(said))


def check_draft(
    lexicon: Lexicon, prompt: Prompt, dialogue: Dialogue, written: str, unsure: frozenset[str]
) -> None:
    """Check the description ``written`` (with slots).

    Raises:
        StructureError: it must not be used; the message says why.
    """
    said = dialogue.text
    if lost := lost_facts(lexicon, said, prompt, written):
        raise StructureError(f"the rewritten prompt would have lost {_names(lost)}")
    if dropped := set(_COPY.findall(said)) - set(_COPY.findall(written)):
        words = ", ".join(f"'{dialogue.restore(w)}'" for w in sorted(dropped))
        raise StructureError(f"the tiny enhancer does not know {words}")
    if not _PUZZLE.search(said) and (dropped := _numbers(said) - _numbers(written)):
        raise StructureError(f"the rewritten prompt would have lost '{min(dropped)}'")
    if added := added_subjects(lexicon, said, prompt, written):
        raise StructureError(f"the rewritten prompt would have added {_names(added)}")
    if lonely(lexicon, said, prompt, dialogue.names, written):
        raise StructureError("the rewritten prompt would have lost the second subject")
    if same := replaced_by_itself(lexicon, prompt, written):
        raise StructureError(f"the rewritten prompt would replace {_names(same)} with itself")
    if left_out := lost_newcomers(lexicon, said, prompt, written):
        raise StructureError(
            f"the rewritten prompt would not put {_names(left_out)} in the place of another"
        )
    if left_in := lost_removals(lexicon, said, prompt, written):
        raise StructureError(f"the rewritten prompt would not remove {_names(left_in)}")
    if made_up := made_up_things(lexicon, said, prompt, written):
        raise StructureError(f"the rewritten prompt would have added {_names(made_up)}")
    if again := said_twice(written):
        raise StructureError(f"the rewritten prompt would say '{again}' twice")
    if mixed := mixed_up(lexicon, said, written):
        raise StructureError(
            f"the rewritten prompt would have mixed up the colour of {_names(mixed)}"
        )
    if not _PUZZLE.search(said):
        if swapped := swapped_motions(lexicon, said, written):
            raise StructureError(
                f"the rewritten prompt would have mixed up what {_names(swapped)} does"
            )
        if moved := lost_sides(lexicon, said, written):
            raise StructureError(
                f"the rewritten prompt would have put {_names(moved)} in another place"
            )
    stated = {fact for facts in lexicon.stated(said) for fact in facts}
    guessed = [
        facts[0]
        for facts in lexicon.stated(written)
        if facts[0].group in ("color", "kind")
        and not stated.intersection(facts)
        and unsure.intersection(facts[0].written)
    ]
    if guessed:
        raise StructureError("the tiny enhancer cannot make out what the given pictures show")


def lost_facts(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Facts that the user said and the description ``written`` does not; what it takes from a
    given video or picture instead ("moves as in <m0>") is not lost, nor what a puzzle speaks of."""
    roles = {i.role for i in prompt.inputs}
    ignore = {"motion"} if roles & {Role.MOTION, Role.SOURCE} else set[str]()
    if _BORROWED_PLACE.search(written):
        ignore.add("place")
    if not _has_shot(prompt):
        ignore.add("view")  # a ball that "rolls in from the left" is no camera
    if Role.ANNOTATION in roles:
        ignore.add("style")  # who gives a sketch speaks of it, and does not ask for one
    if _PUZZLE.search(said):
        ignore |= IN_PUZZLES
    return [facts[0] for facts in lexicon.lost(said, written, ignore=frozenset(ignore))]


def added_subjects(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Subjects that nobody asked for: a kind twice, or one more than the user named.

    Edits speak of what the video shows, and "something" or a prompt without any subject asks for
    one, so there only a doubled kind counts.
    """
    if _edits(prompt):
        return []
    kinds = [facts[0] for facts in lexicon.stated(written) if facts[0].group == "kind"]
    doubled = [fact for fact, count in Counter(kinds).items() if count > 1]
    asked = asked_kinds(lexicon, said, prompt)
    if asked is None:
        return doubled
    return doubled or [fact for fact in kinds if fact not in asked]


def lonely(lexicon: Lexicon, said: str, prompt: Prompt, names: Sequence[str], written: str) -> bool:
    """Whether a description names one subject where the user wants company for it ("plus
    something"). ``names`` are those of the slots."""
    if not _COMPANY.search(said) or _edits(prompt):
        return False
    kinds = sum(facts[0].group == "kind" for facts in lexicon.stated(written))
    shown = _subject_names(prompt)
    return kinds + sum(f"<m{i}>" in written for i, n in enumerate(names) if n in shown) < 2


def replaced_by_itself(lexicon: Lexicon, prompt: Prompt, written: str) -> list[Fact]:
    """Kinds that an edit would put in the place of their own, in the same colour: "the red cube
    into a red cube"."""
    if not _edits(prompt):
        return []
    same: list[Fact] = []
    for clause in _CLAUSE.split(written):
        if _REPLACES.search(clause):
            pairs = Counter(lexicon.coloured(clause))
            same += [kind for (kind, _), count in pairs.items() if count > 1]
    return same


def lost_newcomers(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Kinds that the user wants in the place of another ("a cone instead"), where an edit puts
    another, or none ("recolor the cone"), or takes one of them away of which nobody spoke."""
    if not _edits(prompt):
        return []
    there = Counter(fact for facts in _newcomers(lexicon, written) for fact in facts)
    changes = ", ".join(c for c in _CLAUSE.split(written.lower()) if _NEWCOMER.search(c))
    named = Counter(fact for facts in lexicon.stated(changes) for fact in facts)
    spoken = Counter(fact for facts in lexicon.stated(said) for fact in facts)
    return [
        facts[0]
        for facts in _newcomers(lexicon, said)
        if not any(there[fact] and named[fact] <= spoken[fact] for fact in facts)
    ]


def lost_removals(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Kinds that an edit shall take away ("no black cylinder") and the description keeps, or both
    removes and speaks of."""
    if not _edits(prompt):
        return []
    clauses = _CLAUSE.split(written.lower())
    gone = _named(lexicon, [c for c in clauses if _REMOVES.search(c)])
    there = _named(lexicon, [c for c in clauses if not _REMOVES.search(c)])
    unwanted = " , ".join(c for c in _CLAUSE.split(said.lower()) if _UNWANTED.search(c))
    kinds = [facts for facts in lexicon.stated(unwanted) if facts[0].group == "kind"]
    return [facts[0] for facts in kinds if not (gone - there).intersection(facts)]


def made_up_things(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Things to wear that an edit gives to a subject, of which nobody spoke."""
    if not _edits(prompt):
        return []  # there they are not written in the first place, see ``restraint``
    spoken = {fact for facts in lexicon.stated(said) for fact in facts}
    worn = [facts[0] for facts in lexicon.stated(written) if facts[0].group == "prop"]
    return [fact for fact in worn if fact not in spoken]


def _named(lexicon: Lexicon, clauses: Iterable[str]) -> set[Fact]:
    return {fact for clause in clauses for facts in lexicon.stated(clause) for fact in facts}


def said_twice(written: str) -> str:
    """A word that stands twice in a row, or a clause that stands twice; empty without one."""
    if word := _TWICE.search(written.lower()):
        return word[1]
    clauses = Counter(clause.strip() for clause in _CLAUSE.split(written.lower()))
    whole = (clause for clause, count in clauses.items() if count > 1 and clause.count(" ") > 1)
    return next(whole, "")


def _edits(prompt: Prompt) -> bool:
    return any(i.role is Role.SOURCE for i in prompt.inputs)


def _newcomers(lexicon: Lexicon, text: str) -> list[tuple[Fact, ...]]:
    named = [found[found.lastgroup or 0] for found in _NEWCOMER.finditer(text.lower())]
    stated = [facts for words in named for facts in lexicon.stated(words)]
    return [facts for facts in stated if any(fact.group == "kind" for fact in facts)]


def mixed_up(lexicon: Lexicon, said: str, written: str) -> list[Fact]:
    """Kinds to which the user gives a colour, and the description ``written`` another one."""
    return [
        kind
        for kind, color in lexicon.coloured(written)
        if (given := lexicon.colors_said(said, kind)) and color not in given
    ]


def asked_kinds(lexicon: Lexicon, said: str, prompt: Prompt) -> frozenset[Fact] | None:
    """The only kinds that a description may name; None: the user leaves the subject open, or goes
    on from a shot, and whoever is in it plays on."""
    if _has_shot(prompt):
        return None
    asked = {fact for facts in lexicon.stated(said) for fact in facts if fact.group == "kind"}
    subjects = _subject_names(prompt)
    named = any(isinstance(p, MentionPart) and p.name in subjects for p in prompt.parts)
    if _SOME_SUBJECT.search(said) or not (asked or named or _COPY.search(said)):
        return None
    return frozenset(asked)


def _has_shot(prompt: Prompt) -> bool:
    """Whether a prompt goes on from a video, or asks for another view of it."""
    return any(i.kind is MediaKind.VIDEO and i.role is Role.REFERENCE for i in prompt.inputs)


def _subject_names(prompt: Prompt) -> set[str]:
    """Inputs and elements that show a subject."""
    references = {i.name for i in prompt.inputs if i.role is Role.REFERENCE}
    return references | {e.name for e in prompt.elements}


def _names(facts: list[Fact]) -> str:
    return ", ".join(f"'{fact.name.replace('_', ' ')}'" for fact in dict.fromkeys(facts))
