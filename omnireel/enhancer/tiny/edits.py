"""What a draft of an edit must not do: replace another subject than was asked, or itself by itself,
keep who shall go, or dress somebody.

All of them find nothing where no video is edited.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.mvl.prompt import Prompt
from omnireel.types import Role

CLAUSE = re.compile(r"[,;.]| and ")
_UNWANTED = re.compile(r"\b(?:no|without)\b(?! <w| changing\b| touching\b)(.*)")
"""Who shall go; "without changing the cat" asks for nothing of the kind."""
_REMOVES = re.compile(r"\b(remove|erase|delete|without|go away|disappear)\b")
_REPLACES = re.compile(r"\b(place of|into|for|with)\b")
_STRETCH = r"(?:(?! and )[^,;.])*"
_NEWCOMER = re.compile(
    rf"\bput (?P<placed>{_STRETCH}?) in the place of\b"
    rf"|\b(?:replace|swap|change|turn)\b{_STRETCH}?\b(?:with|for|into|to|by)\b(?P<put>{_STRETCH})"
    rf"|\bmake it\b(?P<made>{_STRETCH})"
    rf"|(?P<first>{_STRETCH}?) (?:instead|not)\b"
)
"""Where an edit names who comes in the place of another."""


def edits(prompt: Prompt) -> bool:
    """Whether a prompt edits a video."""
    return any(i.role is Role.SOURCE for i in prompt.inputs)


def replaced_by_itself(lexicon: Lexicon, prompt: Prompt, written: str) -> list[Fact]:
    """Kinds that an edit would put in the place of their own, in the same colour: "the red cube
    into a red cube"."""
    if not edits(prompt):
        return []
    same: list[Fact] = []
    for clause in CLAUSE.split(written):
        if _REPLACES.search(clause):
            pairs = Counter(lexicon.coloured(clause))
            same += [kind for (kind, _), count in pairs.items() if count > 1]
    return same


def lost_newcomers(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Kinds that the user wants in the place of another ("a cone instead"), where an edit puts
    another, or none ("recolor the cone"), or takes one of them away of which nobody spoke."""
    if not edits(prompt):
        return []
    there = Counter(fact for facts in _newcomers(lexicon, written) for fact in facts)
    changes = ", ".join(c for c in CLAUSE.split(written.lower()) if _NEWCOMER.search(c))
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
    if not edits(prompt):
        return []
    clauses = CLAUSE.split(written.lower())
    gone = _named(lexicon, [c for c in clauses if _REMOVES.search(c)])
    there = _named(lexicon, [c for c in clauses if not _REMOVES.search(c)])
    unwanted = " , ".join(m[1] for c in CLAUSE.split(said.lower()) if (m := _UNWANTED.search(c)))
    kinds = [facts for facts in lexicon.stated(unwanted) if facts[0].group == "kind"]
    return [facts[0] for facts in kinds if not (gone - there).intersection(facts)]


def made_up_things(lexicon: Lexicon, said: str, prompt: Prompt, written: str) -> list[Fact]:
    """Things to wear that an edit gives to a subject, of which nobody spoke."""
    if not edits(prompt):
        return []  # there they are not written in the first place, see ``restraint``
    spoken = {fact for facts in lexicon.stated(said) for fact in facts}
    worn = [facts[0] for facts in lexicon.stated(written) if facts[0].group == "prop"]
    return [fact for fact in worn if fact not in spoken]


def _named(lexicon: Lexicon, clauses: Iterable[str]) -> set[Fact]:
    return {fact for clause in clauses for facts in lexicon.stated(clause) for fact in facts}


def _newcomers(lexicon: Lexicon, text: str) -> list[tuple[Fact, ...]]:
    named = [found[found.lastgroup or 0] for found in _NEWCOMER.finditer(text.lower())]
    stated = [facts for words in named for facts in lexicon.stated(words)]
    return [facts for facts in stated if any(fact.group == "kind" for fact in facts)]
