"""Given pictures that are looked at, not recognised: a drawing and a place beside the clip's first
frame, and a source in another look beside its result.

The words say which ones: "the drawing @Drawing", "the place of @Place", "@Source, .., into natural
footage". They need no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from omnireel.data.candidate import Candidate, Companion
from omnireel.data.checks.agreement import frames_of, paired
from omnireel.data.checks.base import Bounds, Check, Measurement, Tier
from omnireel.data.checks.given import is_drawing, is_place, is_restyled
from omnireel.data.checks.thresholds import standard
from omnireel.types import MediaKind, Role

if TYPE_CHECKING:
    from omnireel.types import Frames

_ANOTHER_LOOK = 0.05
"""Share of the picture that another look changes, at least."""


class _Likeness(Check):
    tier = Tier.CROSS_MODAL
    unit = "agreement, 0 to 1"
    scale = Bounds(0, 1)


class SketchMatch(_Likeness):
    """Whether the outlines of a drawing are those of the first frame; the least like counts."""

    name, version = "sketch_match", 1
    standard = standard("sketch_match")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of clips whose words name a drawing."""
        from omnireel.data.crossmodal.likeness import outline_likeness  # needs OpenCV

        first = _first(candidate)
        drawings = _images(candidate, is_drawing)
        if first is None or not drawings:
            return None
        scores = {c.name: outline_likeness(first, frames_of(c)[0]) for c in drawings}
        return Measurement(min(scores.values()), dict(scores))


class PlaceMatch(_Likeness):
    """Share of the first frame that shows the place of a picture; the least counts."""

    name, version = "place_match", 1
    standard = standard("place_match")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of clips whose words name a place."""
        from omnireel.data.crossmodal.likeness import place_likeness

        first = _first(candidate)
        places = _images(candidate, is_place)
        if first is None or not places:
            return None
        scores = {c.name: place_likeness(frames_of(c)[0], first) for c in places}
        return Measurement(min(scores.values()), dict(scores))


class RestyleMatch(_Likeness):
    """Whether source and result have the same outlines at the same times, and another look."""

    name, version = "restyle_match", 1
    standard = standard("restyle_match")

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of edits into natural footage; 0 for one that changed next to nothing."""
        from omnireel.data.crossmodal.keeping import kept_share
        from omnireel.data.crossmodal.likeness import clip_outline_likeness

        sources = [c for c in candidate.of_role(Role.SOURCE) if c.kind is candidate.kind]
        if not sources or candidate.frames is None or not is_restyled(candidate.caption):
            return None
        source, result = paired(frames_of(sources[0]), candidate.frames.frames_THWC)
        changed = 1.0 - kept_share(source, result)
        alike = clip_outline_likeness(result, source)
        score = alike if changed > _ANOTHER_LOOK else 0.0
        return Measurement(score, {"outlines": round(alike, 4), "changed": round(changed, 4)})


def likeness_checks() -> Iterator[type[Check]]:
    """Every check of this file, in the order in which they are asked."""
    yield from (SketchMatch, PlaceMatch, RestyleMatch)


def _first(candidate: Candidate) -> Frames | None:
    return None if candidate.frames is None else candidate.frames.frames_THWC[0]


def _images(candidate: Candidate, called: Callable[[str, str], bool]) -> list[Companion]:
    return [
        c
        for c in candidate.of_role(Role.REFERENCE)
        if c.kind is MediaKind.IMAGE and called(c.name, candidate.caption)
    ]
