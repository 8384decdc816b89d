"""Tier 3: does what belongs together agree? Words, references, edits, identities, movements.

What the first five ask is measured by the embedder that the policy names; movements are compared
by it where it sees them, else by flow. All scores are 0 to 1. The standard ranges are those of the
tiny embedder; for another one choose your own (`omnireel.data.crossmodal.measure`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from omnireel.data.candidate import WORKING_SHORT_SIDE, Candidate, Companion
from omnireel.data.checks.base import Bounds, Check, Measurement, Models, Tier
from omnireel.data.checks.given import is_drawing, is_place, is_restyled
from omnireel.data.checks.thresholds import standard
from omnireel.embed import Embedder, MovementAgreement, open_embedder
from omnireel.errors import InvalidInput
from omnireel.media import read_media
from omnireel.types import Frames, MediaKind, Role

if TYPE_CHECKING:
    from omnireel.data.crossmodal.movement import Movement

_UNIT = "agreement, 0 to 1"
_SENTENCE = re.compile(r"[^.!?]+[.!?]*")


class CrossModal(Check):
    """What these checks share: a scale, and a lazily opened embedder."""

    tier = Tier.CROSS_MODAL
    unit = _UNIT
    scale = Bounds(0, 1)
    folder: Path | None = None

    @classmethod
    def load(cls, models: Models) -> Self:
        """With the policy's embedder."""
        check = cls()
        check.folder = models.embedder
        return check

    @cached_property
    def embedder(self) -> Embedder:
        """The policy's; opened when the first sample needs it."""
        if self.folder is None:
            raise InvalidInput(f"{self.name} needs an embedder; give its folder", field="embedder")
        return open_embedder(self.folder)


class CaptionMatch(CrossModal):
    """How well the caption tells what is seen."""

    name, version = "caption_match", 3
    standard = standard("caption_match")
    model = "embedder"

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of samples with a caption that are no edits."""
        if not candidate.caption or candidate.of_role(Role.SOURCE) or candidate.frames is None:
            return None
        frames = candidate.frames.frames_THWC
        score = self.embedder.agreement(frames, [telling(candidate.caption)])[0]
        return Measurement(float(score), {"embedder": self.embedder.name})


def telling(text: str) -> str:
    """The sentences that tell of the clip: those about inputs ("Animate @Start.") say how it is to
    be made. All of the text when there is no other sentence."""
    sentences = _SENTENCE.findall(text)
    return " ".join(s.strip() for s in sentences if "@" not in s) or text


class ReferenceMatch(CrossModal):
    """How clearly the subjects of reference images appear in the clip; the least clear counts."""

    name, version = "reference_match", 2
    standard = standard("reference_match")
    model = "embedder"

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of samples with images as references or elements; of an element its pictures' mean. What
        the words call a drawing or a place shows nobody to look for."""
        if candidate.frames is None:
            return None
        seen: dict[str, list[float]] = {}
        for companion in (*candidate.of_role(Role.REFERENCE), *candidate.of_role(Role.ELEMENT)):
            if is_drawing(companion.name, candidate.caption):
                continue
            if is_place(companion.name, candidate.caption):
                continue
            if companion.kind is MediaKind.IMAGE:
                picture = frames_of(companion)
                score = self.embedder.appearance(picture, candidate.frames.frames_THWC)
                seen.setdefault(companion.name, []).append(score)
        means = {name: sum(scores) / len(scores) for name, scores in seen.items()}
        return Measurement(min(means.values()), means) if means else None


class IdentityMatch(CrossModal):
    """Whether the character of another clip is the one of this clip."""

    name, version = "identity_match", 1
    standard = standard("identity_match")
    model = "embedder"

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of samples with clips as references; asked in both directions."""
        if candidate.frames is None:
            return None
        here, scores = candidate.frames.frames_THWC, {}
        for companion in candidate.of_role(Role.REFERENCE):
            if companion.kind is MediaKind.VIDEO:
                there = frames_of(companion)
                both = (
                    self.embedder.appearance(there, here),
                    self.embedder.appearance(here, there),
                )
                scores[companion.name] = sum(both) / 2
        return Measurement(min(scores.values()), scores) if scores else None


class EditDone(CrossModal):
    """Whether the edit's result does what the instruction asks of the source."""

    name, version = "edit_done", 3
    standard = standard("edit_done")
    model = "embedder"

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of edits, but not into natural footage."""
        return _edit(self, candidate, "done")


class EditKept(CrossModal):
    """Whether the edit left the rest as it was."""

    name, version = "edit_kept", 3
    standard = standard("edit_kept")
    model = "embedder"

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of edits, but not into natural footage; with an embedder that cannot tell, the share of
        the picture that is equal."""
        return _edit(self, candidate, "kept")


class _MovementMatch(CrossModal, ABC):
    """By an embedder that sees movement, else by flow."""

    version = 2
    role: ClassVar[Role]

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of clips with a reference of this role; both need three frames at least."""
        if candidate.frames is None:
            return None
        here, scores = candidate.frames.frames_THWC, {}
        for companion in candidate.of_role(self.role):
            there = frames_of(companion)
            if min(len(here), len(there)) < 3:
                raise InvalidInput(f"@{companion.name}: too few frames to see a movement")
            read = self.embedder.movement(here, there) if self.folder else None
            scores[companion.name] = self.by_flow(here, there) if read is None else self.of(read)
        return Measurement(min(scores.values()), scores) if scores else None

    @abstractmethod
    def of(self, found: MovementAgreement) -> float:
        """The part that is asked for."""

    @abstractmethod
    def by_flow(self, one: Frames, other: Frames) -> float:
        """How alike two clips of three frames or more move."""


class MotionMatch(_MovementMatch):
    """Whether the subject moves as that of the motion reference."""

    name = "motion_match"
    standard = Bounds(low=0.33)
    role = Role.MOTION

    def of(self, found: MovementAgreement) -> float:
        """The subjects."""
        return found.subject

    def by_flow(self, one: Frames, other: Frames) -> float:
        """By what moves against the place."""
        from omnireel.data.crossmodal.movement import subject_likeness

        return subject_likeness(*_movements(one, other))


class CameraMatch(_MovementMatch):
    """Whether the camera moves as that of the camera reference."""

    name, version = "camera_match", 3
    standard = Bounds(low=0.25)
    role = Role.CAMERA

    def of(self, found: MovementAgreement) -> float:
        """The cameras."""
        return found.camera

    def by_flow(self, one: Frames, other: Frames) -> float:
        """By how the place moves."""
        from omnireel.data.crossmodal.movement import camera_likeness

        return camera_likeness(*_movements(one, other))


def _movements(one: Frames, other: Frames) -> tuple[Movement, Movement]:
    from omnireel.data.crossmodal.movement import movement_of  # needs OpenCV

    here, there = movement_of(one), movement_of(other)
    assert here is not None
    assert there is not None
    return here, there


def frames_of(companion: Companion) -> Frames:
    """The decoded frames of a companion, shrunk like a candidate's.

    Raises:
        InvalidInput, NotFound: it cannot be read.

    """
    kind, clip = read_media(
        companion.path, field=f"@{companion.name}", shrink_short_side=WORKING_SHORT_SIDE
    )
    if kind is not companion.kind:
        raise InvalidInput(f"@{companion.name} is a {kind.value}, not a {companion.kind.value}")
    return clip.frames_THWC


def _edit(check: CrossModal, candidate: Candidate, part: str) -> Measurement | None:
    from omnireel.data.crossmodal.keeping import changed, kept_share

    sources = [c for c in candidate.of_role(Role.SOURCE) if c.kind is candidate.kind]
    if not sources or not candidate.caption or candidate.frames is None:
        return None
    if is_restyled(candidate.caption):
        return None
    source, result = paired(frames_of(sources[0]), candidate.frames.frames_THWC)
    found = check.embedder.edit(source, result, candidate.caption)
    facts = {
        "changed": round(float(changed(source, result).mean()), 4),
        "embedder": check.embedder.name,
    }
    if part == "done":
        return Measurement(found.done, facts)
    return Measurement(kept_share(source, result) if found.kept is None else found.kept, facts)


def paired(source: Frames, result: Frames) -> tuple[Frames, Frames]:
    """Frames of the source at the times of the result's, at the same size.

    Raises:
        InvalidInput: they have different shapes.

    """
    import cv2
    import numpy as np

    at = np.linspace(0, len(source) - 1, len(result)).round().astype(int)
    (h, w), (sh, sw) = result.shape[1:3], source.shape[1:3]
    if abs(w / h - sw / sh) > 0.05 * w / h:
        raise InvalidInput(f"the source has another shape ({sw}x{sh}) than the result ({w}x{h})")
    picked = source[at]
    if (h, w) != (sh, sw):
        picked = np.stack([cv2.resize(f, (w, h), interpolation=cv2.INTER_AREA) for f in picked])
    return picked, result


def all_checks() -> Iterator[type[Check]]:
    """Every check of this tier, in the order in which they are asked."""
    yield from (CaptionMatch, ReferenceMatch, IdentityMatch, EditDone, EditKept)
    yield from (MotionMatch, CameraMatch)
