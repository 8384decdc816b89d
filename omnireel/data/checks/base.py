"""A check: something measured on a candidate, a range to keep it in, and the verdict on record.

A new check is one small file with one class, and a line in `registry`::

    class Blur(Check):
        \"\"\"Share of ...\"\"\"

        name, tier, version = "blur", Tier.TEMPORAL, 1
        unit = "share of gradients, 0 to 1"
        scale = Bounds(0, 1)
        standard = Bounds(high=0.35)

        def measure(self, candidate: Candidate) -> Measurement | None: ...
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

from omnireel.data.candidate import Candidate


class Tier(IntEnum):
    """Cheap before dear: a sample that fails a tier is not shown to the next dearer stage."""

    BASIC = 1
    TEMPORAL = 2
    CROSS_MODAL = 3


@dataclass(frozen=True)
class Bounds:
    """A closed range of scores; open ends are infinite."""

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, score: float) -> bool:
        return self.low <= score <= self.high

    def __str__(self) -> str:
        if self.low == -math.inf:
            return f"at most {self.high:g}" if self.high != math.inf else "anything"
        if self.high == math.inf:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Measurement:
    """A finite score in the check's unit, and JSON facts that explain it."""

    score: float
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Models:
    """Models by path that a policy names for its checks."""

    unsafe: Path | None = None
    embedder: Path | None = None


class Judged(ABC):
    """What every kind of check says of itself, on its class."""

    name: ClassVar[str]
    tier: ClassVar[Tier]
    version: ClassVar[int]
    """Raise it with every change of what comes out."""
    unit: ClassVar[str]
    """What the score counts, in words."""
    scale: ClassVar[Bounds]
    """Scores that are possible; thresholds outside of it are refused."""
    standard: ClassVar[Bounds]
    """The range of the policy ``standard``."""


class Check(Judged):
    """A check of one candidate at a time. Instances live in worker processes."""

    needs_frames: ClassVar[bool] = True
    """False: the facts of the file are enough; then it is asked of files without frames too."""
    needs_companions: ClassVar[bool] = False
    """True: the companions are decoded before it is asked."""
    model: ClassVar[str | None] = None
    """The field of :class:`Models` that it cannot do without; off when the policy names none."""
    gpus: ClassVar[float] = 0.0
    """Share of a GPU that the check wants where there is one."""

    @classmethod
    def load(cls, models: Models) -> Self:
        """An instance that is ready to measure; one with a model loads it here."""
        return cls()

    @abstractmethod
    def measure(self, candidate: Candidate) -> Measurement | None:
        """The score of a candidate; None when the check does not apply to it (an image has no
        motion, a clip without a caption nothing to compare). Whatever is raised rejects the sample
        and is recorded.
        """


@dataclass(frozen=True)
class Pair:
    """Two candidates that show the same, and how surely."""

    one: str
    other: str
    similarity: float


class NearDuplicates(Judged):
    """Finds candidates that show the same; the engine keeps the best of them."""

    @abstractmethod
    def fingerprint(self, candidate: Candidate) -> bytes:
        """A compact fingerprint of its frames; made in the worker while they are in memory."""

    @abstractmethod
    def pairs(self, fingerprints: Iterable[tuple[str, bytes]], at_least: float) -> Iterator[Pair]:
        """Every pair of keys with a similarity of ``at_least``, each once, in a fixed order."""


class Outcome(StrEnum):
    """What became of a sample under one check."""

    KEPT = "kept"
    REJECTED = "rejected"
    FAILED = "failed"
    """The check raised; that rejects the sample."""
    NOT_APPLICABLE = "not_applicable"
    SKIPPED = "skipped"
    """Not asked, because of an earlier verdict."""

    @property
    def passes(self) -> bool:
        """Whether the sample may go on."""
        return self in (Outcome.KEPT, Outcome.NOT_APPLICABLE)


@dataclass(frozen=True)
class Verdict:
    """One row of the ledger: one sample and one check."""

    sample: str
    check: str
    tier: Tier
    version: int
    outcome: Outcome
    low: float
    high: float
    score: float | None = None
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def judge(check: Check, bounds: Bounds, candidate: Candidate) -> Verdict:
    """Ask ``check`` about ``candidate``; what it raises is a verdict too, never an exception."""
    if check.needs_frames and candidate.frames is None:
        return verdict_of(check, bounds, candidate.key, Outcome.SKIPPED, "nothing was decoded")
    try:
        found = check.measure(candidate)
        if found is not None and not math.isfinite(found.score):
            raise ValueError(f"the score is {found.score}")
    except Exception as error:  # noqa: BLE001 - one sample's failure is its verdict
        return verdict_of(check, bounds, candidate.key, Outcome.FAILED, _words(error))
    if found is None:
        return verdict_of(check, bounds, candidate.key, Outcome.NOT_APPLICABLE)
    return rate(check, bounds, candidate.key, found)


def rate(check: Judged, bounds: Bounds, key: str, found: Measurement) -> Verdict:
    """The verdict on a measurement."""
    kept = found.score in bounds
    return Verdict(
        sample=key,
        check=check.name,
        tier=check.tier,
        version=check.version,
        outcome=Outcome.KEPT if kept else Outcome.REJECTED,
        low=bounds.low,
        high=bounds.high,
        score=found.score,
        reason="" if kept else _reason(check, bounds, found),
        detail=found.detail,
    )


def _reason(check: Judged, bounds: Bounds, found: Measurement) -> str:
    if error := found.detail.get("error"):
        return str(error)
    of = f" of {found.detail['of']}" if "of" in found.detail else ""
    return f"{check.name}{of} {found.score:.4g}, {bounds} is kept"


def verdict_of(
    check: Judged | type[Judged], bounds: Bounds, key: str, outcome: Outcome, reason: str = ""
) -> Verdict:
    """A verdict without a score."""
    return Verdict(
        key,
        check.name,
        check.tier,
        check.version,
        outcome,
        bounds.low,
        bounds.high,
        reason=reason,
    )


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
