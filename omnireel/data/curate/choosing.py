"""Which samples are left, step by step, and the verdicts of every sample in the ledger's order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from omnireel.data.candidate import Shot
from omnireel.data.checks.base import (
    Bounds,
    Judged,
    Measurement,
    Outcome,
    Tier,
    Verdict,
    rate,
    verdict_of,
)
from omnireel.data.checks.copies import ExactDuplicate
from omnireel.data.checks.policy import Policy
from omnireel.data.checks.registry import ALL
from omnireel.data.curate.duplicates import Quality, near_copies
from omnireel.data.curate.listing import Item, Listing
from omnireel.data.curate.measure import near_duplicates
from omnireel.data.curate.records import FileRecord, ShotRecord, verdict_of_json
from omnireel.types import MediaKind


@dataclass
class Choice:
    """A sample that passed so far, or no longer does."""

    key: str
    item: Item
    kind: MediaKind
    shot: Shot
    sha256: str
    companions: Mapping[str, str]
    quality: Quality
    passes: bool


class Chooser:
    """Starts from the verdicts of tiers 1 and 2."""

    def __init__(
        self,
        policy: Policy,
        listing: Listing,
        copies: Mapping[str, str],
        record: Callable[[str], FileRecord],
    ) -> None:
        self._policy = policy
        self._listing = listing
        self._copies = copies
        self._record = record
        self._asked: tuple[type[Judged], ...] = tuple(c for c in ALL if c.name in policy.bounds)
        self._later: dict[str, dict[str, Verdict]] = {}
        self._choices: dict[str, Choice] = {}
        for name, item in listing.items.items():
            if name in copies:
                continue
            found = record(name)
            for shot in found.shots:
                choice = _choice(found, shot, item)
                self._choices[choice.key] = choice

    def passed(self) -> Iterator[Choice]:
        """What is left, in order."""
        return (choice for choice in self._choices.values() if choice.passes)

    def near_copies(self) -> None:
        """Drop near-duplicates but for the best; samples with companions are left alone."""
        near = near_duplicates(self._policy)
        if near is None:
            return
        bounds = self._policy.bounds[near.name]
        alone = {c.key: c for c in self.passed() if not c.item.companions}
        copies = near_copies(
            self._fingerprints(alone),
            {key: choice.quality for key, choice in alone.items()},
            near,
            bounds.high,
        )
        for choice in list(self.passed()):
            if choice.key not in alone:
                verdict = verdict_of(near, bounds, choice.key, Outcome.NOT_APPLICABLE)
            else:
                other, similarity = copies.get(choice.key, ("", 0.0))
                detail = {"of": other} if other else {}
                verdict = rate(near, bounds, choice.key, Measurement(similarity, detail))
            self._add(choice, (verdict,))

    def judged(self, key: str, verdicts: bytes) -> None:
        """Take what tier 3 said of a sample."""
        found = tuple(verdict_of_json(data) for data in json.loads(verdicts))
        self._add(self._choices[key], found)

    def lost(self, key: str, reason: str) -> None:
        """A sample that could not be cut out of its file."""
        self._add(self._choices[key], (lost_cut(key, reason),))

    def verdicts(self) -> Iterator[tuple[str, int, tuple[Verdict, ...]]]:
        """``(file, shot, verdicts)`` of every sample, in the order of names and shots."""
        for name in self._listing.items:
            if name in self._copies:
                yield name, 0, self._of_copy(name, self._copies[name])
                continue
            found = self._record(name)
            for shot in found.shots:
                key = found.key(shot)
                yield name, shot.shot.index, self._of_shot(key, shot)

    def of(self, key: str) -> tuple[Verdict, ...]:
        """The verdicts of one sample that was measured."""
        choice = self._choices[key]
        found = self._record(choice.item.name)
        return self._of_shot(key, found.shots[choice.shot.index])

    def _of_copy(self, name: str, original: str) -> tuple[Verdict, ...]:
        rows = []
        for check in self._asked:
            bounds = self._policy.bounds[check.name]
            if check is ExactDuplicate:
                rows.append(
                    rate(ExactDuplicate(), bounds, name, Measurement(1.0, {"of": original}))
                )
            else:
                rows.append(verdict_of(check, bounds, name, Outcome.SKIPPED, f"copy of {original}"))
        return tuple(rows)

    def _of_shot(self, key: str, shot: ShotRecord) -> tuple[Verdict, ...]:
        known = {v.check: v for v in shot.verdicts} | self._later.get(key, {})
        rows = []
        for check in self._asked:
            bounds = self._policy.bounds[check.name]
            if check is ExactDuplicate:
                rows.append(rate(ExactDuplicate(), bounds, key, Measurement(0.0)))
            elif check.name in known:
                rows.append(known.pop(check.name))
            else:
                rows.append(verdict_of(check, bounds, key, Outcome.SKIPPED, "rejected before"))
        extra = [v for v in known.values() if v.check == LostCut.name]
        return (*rows, *extra)

    def _add(self, choice: Choice, verdicts: tuple[Verdict, ...]) -> None:
        self._later.setdefault(choice.key, {}).update({v.check: v for v in verdicts})
        choice.passes = choice.passes and all(v.outcome.passes for v in verdicts)

    def _fingerprints(self, wanted: Mapping[str, Choice]) -> Iterator[tuple[str, bytes]]:
        for name in dict.fromkeys(choice.item.name for choice in wanted.values()):
            found = self._record(name)
            for shot in found.shots:
                key = found.key(shot)
                if key in wanted and shot.fingerprint:
                    yield key, shot.fingerprint


class LostCut(Judged):
    """A shot that could not be cut out of its file."""

    name, tier, version = "cut", Tier.BASIC, 1


def lost_cut(key: str, reason: str) -> Verdict:
    """The verdict on it."""
    return verdict_of(LostCut, Bounds(), key, Outcome.FAILED, reason)


def _choice(found: FileRecord, shot: ShotRecord, item: Item) -> Choice:
    facts = found.facts
    return Choice(
        key=found.key(shot),
        item=item,
        kind=facts.kind,
        shot=shot.shot,
        sha256=found.sha256,
        companions=found.companions,
        quality=(
            float(bool(item.caption.text)),  # words are dearer than pixels
            float(facts.width * facts.height),
            facts.bits_per_pixel * facts.fps,
            shot.shot.seconds,
        ),
        # Without a picture of it nothing was decoded, whatever the policy asks.
        passes=bool(shot.strip) and all(v.outcome.passes for v in shot.verdicts),
    )
