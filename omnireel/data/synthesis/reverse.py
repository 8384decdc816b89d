"""Reverse synthesis: a natural clip is the target, and what could have led to it is derived.

The target's file is never touched, so it keeps its natural consistency in time. Inputs show no more
of it than they must: a source without the subject is computed with the subject's pixels blanked,
an element without those of the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from omnireel.data.crossmodal.movement import movement_of
from omnireel.data.synthesis.derived import Derived, DerivedInput
from omnireel.data.synthesis.erase import erase, grown, margin_of
from omnireel.data.synthesis.looks import (
    HUES,
    STYLES,
    color_name,
    cut_out,
    recolored,
    sketched,
    styled,
)
from omnireel.data.synthesis.views import Mask
from omnireel.data.synthesis.wordings import ADD, DRAWING, PLACE, RECOLOR, RESTYLE
from omnireel.media import Mp4Settings, write_mp4, write_png
from omnireel.types import Clip, Frames, Role

FINE_MP4 = Mp4Settings(crf=8, preset="fast", threads=1)
_VIEWS = 3


@dataclass(frozen=True, eq=False)
class Natural:
    """A clip of a person with its caption; ``mask_THW`` where its subject is, if one was found, and
    ``shadow_THW`` where that throws a shadow."""

    name: str
    path: Path
    sha256: str
    clip: Clip
    caption: str
    mask_THW: Mask | None = None
    shadow_THW: Mask | None = None
    licence: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """More for the lineage: how the mask was found."""

    @property
    def wide_mask(self) -> Mask:
        """All that tells of the subject: the mask, its shadow, and a margin."""
        assert self.mask_THW is not None
        told = self.mask_THW if self.shadow_THW is None else self.mask_THW | self.shadow_THW
        return grown(told, margin_of(self.clip.frames_THWC))


def reverse(natural: Natural, kinds: tuple[str, ...]) -> Iterator[Derived]:
    """Samples of the given kinds that this clip allows; ``natural.mask_THW`` None leaves out those
    that are about its subject."""
    for kind in kinds:
        maker, needs_mask = KINDS[kind]
        if needs_mask and natural.mask_THW is None:
            continue
        yield from maker(natural)


def _add(natural: Natural) -> Iterator[Derived]:
    source = erase(natural.clip.frames_THWC, natural.wide_mask)
    text = ADD.format(caption=natural.caption)
    yield _derived(natural, "add", "C4", text, (_video(natural, Role.SOURCE, "Source", source),))


def _element(natural: Natural) -> Iterator[Derived]:
    pictures = elements(natural)
    if not pictures:
        return
    given = tuple(
        DerivedInput(Role.ELEMENT, "Subject", write_png(picture[None]), ".png")
        for picture in pictures
    )
    yield _derived(natural, "element", "C2", f"With @Subject. {natural.caption}", given)


def _scene(natural: Natural) -> Iterator[Derived]:
    """The subject as an element and the empty place as an image: a multi-reference sample."""
    pictures = elements(natural)
    if not pictures:
        return
    place = erase(natural.clip.frames_THWC, natural.wide_mask)[:1]
    given = (
        *(DerivedInput(Role.ELEMENT, "Subject", write_png(p[None]), ".png") for p in pictures),
        DerivedInput(Role.REFERENCE, "Place", write_png(place), ".png"),
    )
    text = PLACE.format(caption=natural.caption)
    yield _derived(natural, "scene", "C3", text, given)


def _recolor(natural: Natural) -> Iterator[Derived]:
    assert natural.mask_THW is not None
    own = color_name(natural.clip.frames_THWC, natural.mask_THW)
    names = [name for name in HUES if name not in (own, "white", "black")]
    other = names[int(natural.sha256[:8], 16) % len(names)]
    source = recolored(natural.clip.frames_THWC, natural.mask_THW, other)
    text = RECOLOR.format(old=other, new=own)
    given = (_video(natural, Role.SOURCE, "Source", source),)
    yield _derived(natural, "recolor", "C8", text, given)


def _restyle(natural: Natural) -> Iterator[Derived]:
    style = list(STYLES)[int(natural.sha256[:8], 16) % len(STYLES)]
    source = styled(natural.clip.frames_THWC, style)
    text = RESTYLE.format(style=style, caption=natural.caption)
    given = (_video(natural, Role.SOURCE, "Source", source),)
    yield _derived(natural, "restyle", "C7", text, given)


def _first(natural: Natural) -> Iterator[Derived]:
    given = (_frame(natural, Role.FIRST_FRAME, "Start", 0),)
    yield _derived(natural, "first", "C18", f"Animate @Start. {natural.caption}", given)


def _ends(natural: Natural) -> Iterator[Derived]:
    given = (
        _frame(natural, Role.FIRST_FRAME, "Start", 0),
        _frame(natural, Role.LAST_FRAME, "End", -1),
    )
    text = f"From @Start to @End. {natural.caption}"
    yield _derived(natural, "ends", "C19", text, given)


def _sketch(natural: Natural) -> Iterator[Derived]:
    lines = sketched(natural.clip.frames_THWC[0])
    given = (DerivedInput(Role.REFERENCE, "Drawing", write_png(lines[None]), ".png"),)
    text = DRAWING.format(caption=natural.caption)
    yield _derived(natural, "sketch", "C25", text, given)


KINDS: Mapping[str, tuple[Callable[[Natural], Iterator[Derived]], bool]] = {
    "add": (_add, True),
    "element": (_element, True),
    "scene": (_scene, True),
    "recolor": (_recolor, True),
    "restyle": (_restyle, False),
    "first": (_first, False),
    "ends": (_ends, False),
    "sketch": (_sketch, False),
}
"""What can be derived, and whether it needs the subject's mask."""


def elements(natural: Natural) -> list[Frames]:
    """Up to three pictures of the subject alone, from different times of the clip."""
    assert natural.mask_THW is not None
    frames, mask = natural.clip.frames_THWC, natural.mask_THW
    at = np.linspace(0, len(frames) - 1, _VIEWS + 2).round().astype(int)[1:-1]
    found = [cut_out(frames[t], mask[t]) for t in dict.fromkeys(at.tolist())]
    return [picture for picture in found if picture is not None]


def camera_path(natural: Natural) -> list[list[float]] | None:
    """Shift right, shift down (short sides) and growth of the place in each eighth of the clip."""
    found = movement_of(natural.clip.frames_THWC)
    return None if found is None else np.round(found.camera_M3.astype(float), 4).tolist()


def _derived(
    natural: Natural, kind: str, capability: str, text: str, inputs: tuple[DerivedInput, ...]
) -> Derived:
    lineage = {
        "made_by": f"reverse/{kind}",
        "of": natural.path.name,
        "of_sha256": natural.sha256,
        "caption": natural.caption,
        "camera": camera_path(natural),
        **natural.facts,
    }
    return Derived(
        f"{natural.name}-{kind}", natural.path, natural.path.suffix, text, capability, inputs,
        lineage, natural.licence,
    )  # fmt: skip


def _video(natural: Natural, role: Role, name: str, frames: Frames) -> DerivedInput:
    return DerivedInput(
        role, name, write_mp4(Clip(frames, natural.clip.fps), None, FINE_MP4), ".mp4"
    )


def _frame(natural: Natural, role: Role, name: str, index: int) -> DerivedInput:
    frames = natural.clip.frames_THWC
    at = range(len(frames))[index]
    return DerivedInput(role, name, write_png(frames[at : at + 1]), ".png")
