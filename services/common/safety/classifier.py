"""What a classifier is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from omnireel.types import Frames


class SubjectKind(StrEnum):
    """When a classifier is asked."""

    REQUEST = "request"
    """Before anything is made: the prompt and pictures of its inputs."""
    OUTPUT = "output"
    """Before anything is released: pictures of what was made, and the prompt it was made from."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What to judge. ``frames`` are ``(H, W, 3)`` pictures, a few from each clip."""

    kind: SubjectKind
    tenant: str
    text: str
    frames: tuple[Frames, ...]


@dataclass(frozen=True)
class Verdict:
    """``reason`` is shown to the caller when it is not allowed."""

    allowed: bool
    reason: str = ""


class Classifier(Protocol):
    """Judges one subject; may be called from several threads. Any exception counts as a no."""

    def __call__(self, subject: Subject) -> Verdict: ...  # noqa: D102
