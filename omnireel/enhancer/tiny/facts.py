"""Facts that a user states, and whether a rewritten prompt still states them.

A fact is a class ("color", "kind", ...) with a name ("red") and words for it. ``said`` are the ways
in which people say it ("crimson"), ``written`` the ways in which the generator's captions do. One
way of saying can stand for several facts ("kid" is a girl or a boy): then one of them must be kept.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_WORD = re.compile(r"<?[a-z0-9]+>?")
_COPY = re.compile(r"(<w\d>)")
CLOTHED = frozenset({"girl", "boy"})
"""Kinds whose colour is that of their clothes and stands behind them in captions."""


@dataclass(frozen=True)
class Fact:
    """One fact and the phrases for it (lower case, words separated by single spaces)."""

    group: str
    name: str
    said: tuple[str, ...]
    written: tuple[str, ...]

    @property
    def told(self) -> str:
        """How captions tell it right behind a subject, or in its place: "jumping", "ball"."""
        gerunds = (form for form in self.written if re.search(r"ing\b", form))
        return next(gerunds, self.written[0]) if self.group == "motion" else self.written[0]


def _holds(words: Sequence[str], some: Sequence[str]) -> bool:
    starts = range(len(words) - len(some) + 1)
    return any(list(words[i : i + len(some)]) == list(some) for i in starts)


class Lexicon:
    """All facts that the enhancer can recognise."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.facts = tuple(facts)
        self._said: dict[tuple[str, ...], list[Fact]] = defaultdict(list)
        for fact in self.facts:
            for phrase in dict.fromkeys((*fact.said, *fact.written)):
                self._said[tuple(phrase.split())].append(fact)
        self._longest = max((len(k) for k in self._said), default=0)

    @classmethod
    def from_data(cls, data: Iterable[dict[str, Any]]) -> Lexicon:
        """From JSON data as made by :meth:`to_data`."""
        return cls(Fact(d["group"], d["name"], tuple(d["said"]), tuple(d["written"])) for d in data)

    def to_data(self) -> list[dict[str, Any]]:
        """As JSON data."""
        return [asdict(fact) for fact in self.facts]

    def stated(self, text: str) -> list[tuple[Fact, ...]]:
        """Facts stated in ``text`` in order; each entry holds the facts that a phrase may mean."""
        words = _WORD.findall(text.lower())
        found: list[tuple[Fact, ...]] = []
        i = 0
        while i < len(words):
            for length in range(min(self._longest, len(words) - i), 0, -1):
                if facts := self._said.get(tuple(words[i : i + length])):
                    found.append(tuple(facts))
                    i += length
                    break
            else:
                i += 1
        return found

    def as_captions_tell(self, words: Sequence[str]) -> list[str]:
        """``words`` (lower case) with the phrases that captions do not write, and that have one
        reading, replaced by what they do."""
        told: list[str] = []
        while words:
            length = min(self._longest, len(words))
            while length > 1 and tuple(words[:length]) not in self._said:
                length -= 1
            phrase, words = words[:length], words[length:]
            facts = self._said.get(tuple(phrase), [])
            written = any(_holds(phrase, form.split()) for fact in facts for form in fact.written)
            if len(facts) != 1 or written:
                told += phrase
                continue
            if facts[0].group == "camera" and told[-1:] != ["camera"]:
                told += ["the", "camera"]
            new = facts[0].told.split()
            told += new if told[-len(new) :] != new else []
        return told

    def lost(
        self, said: str, written: str, *, ignore: frozenset[str] = frozenset()
    ) -> list[tuple[Fact, ...]]:
        """Facts of ``said`` that ``written`` no longer states (groups in ``ignore`` apart)."""
        have = Counter(f for facts in self.stated(written) for f in facts)
        return [
            facts
            for facts in self.stated(said)
            if not any(f.group in ignore or have[f] for f in facts)
        ]

    def noted(self, text: str) -> str:
        """What a user says in ``text`` (with slots), as the thought of an answer notes it: names of
        facts that have one reading, and slots of unknown words, in their order."""
        notes: list[str] = []
        for piece in _COPY.split(text):
            if _COPY.fullmatch(piece):
                notes.append(piece)
            else:
                sure = (facts[0].name for facts in self.stated(piece) if len(facts) == 1)
                notes += [name.replace("_", " ") for name in sure]
        return " ".join(notes)

    def coloured(self, caption: str) -> list[tuple[Fact, Fact]]:
        """(kind, colour) of the subjects in a caption: "a striped red ball", "a girl in red"."""
        stated = [facts[0] for facts in self.stated(caption)]
        pairs = []
        for i, fact in enumerate(stated):
            if fact.group != "kind":
                continue
            clothed = fact.name in CLOTHED
            near = stated[i + 1 : i + 3] if clothed else stated[max(i - 1, 0) : i]
            pairs += [(fact, other) for other in near if other.group == "color"][:1]
        return pairs

    def colors_said(self, said: str, kind: Fact) -> set[Fact]:
        """Colours that a user gives to ``kind`` in so many words: "red ball", "girl in red"."""
        nouns = "|".join(re.escape(n) for n in dict.fromkeys((*kind.said, *kind.written)))
        found = set()
        for fact in self.facts:
            if fact.group == "color":
                color = "|".join(re.escape(c) for c in dict.fromkeys((*fact.said, *fact.written)))
                worn = rf"({nouns}) (dressed )?in ({color})"
                if re.search(rf"\b(({color})( and [a-z]+)? ({nouns})|{worn})\b", said):
                    found.add(fact)
        return found
