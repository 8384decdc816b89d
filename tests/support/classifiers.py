"""Small classifiers that really look: at words, and at how red pictures are."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from services.common.safety import Subject, SubjectKind, Verdict

FORBIDDEN = "forbidden"


@dataclass
class RedClassifier:
    """Refuses a forbidden word, and pictures whose red exceeds their blue by ``too_red``."""

    too_red: float = 60.0
    seen: list[Subject] = field(default_factory=list)

    def __call__(self, subject: Subject) -> Verdict:
        self.seen.append(subject)
        if FORBIDDEN in subject.text.lower():
            return Verdict(False, f"the word {FORBIDDEN!r}")
        for frame in subject.frames:
            red, _, blue = frame.astype(float).mean(axis=(0, 1))
            if red - blue > self.too_red:
                return Verdict(False, "too red")
        return Verdict(True)


def broken(_subject: Subject) -> Verdict:
    """Never gives a verdict."""
    raise RuntimeError("the model is not there")


def hanging(_subject: Subject) -> Verdict:
    """Never comes back."""
    threading.Event().wait()
    return Verdict(True)


def sloppy(_subject: Subject) -> Verdict:
    """Answers with something that is true, and no verdict."""
    return True  # type: ignore[return-value]


@dataclass
class FailsOnOutput:
    """Lets requests pass and has no verdict on results, ``times`` times."""

    times: int

    def __call__(self, subject: Subject) -> Verdict:
        if subject.kind is SubjectKind.OUTPUT and self.times:
            self.times -= 1
            raise ConnectionError("away")
        return Verdict(True)
