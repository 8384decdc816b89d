"""What a clip shows, told from its frames alone: subjects with tracks, place, mood, camera flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnireel.evaluate.perception.crops import crops
from omnireel.evaluate.perception.eyes import Perception
from omnireel.evaluate.perception.flow import Flow, place_flow
from omnireel.evaluate.perception.movement import features
from omnireel.evaluate.perception.reader import (
    COLOR_CLASSES,
    F32,
    KIND_CLASSES,
    FrameReading,
    prepare,
)
from omnireel.evaluate.perception.tracks import ScreenTrack, track_of
from omnireel.types import Frames

Cells = npt.NDArray[np.bool_]

MIN_SHARE = 0.12
"""A colour that covers less of all subjects than this is a misreading, no second subject."""
MAX_CONTACT = 0.4
"""A colour of whose cells more than this share touch a larger one is a part of that subject."""
MIN_CELLS = 6.0
"""Mean cells per frame below which nothing counts as a subject."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One subject of a clip. ``mask_Thw``: share of each cell that it fills."""

    mask_Thw: F32
    color_C: F32
    """Probability by colour (COLOR_CLASSES, 0 for none)."""
    kind_K: F32
    """Probability by kind (KIND_CLASSES)."""
    motion_M: F32
    """Probability by motion (MOTIONS)."""
    track: ScreenTrack

    @property
    def color(self) -> str:
        """The most likely colour."""
        return COLOR_CLASSES[int(self.color_C.argmax())]

    @property
    def kind(self) -> str:
        """The most likely kind; ``BROKEN`` when it is no whole subject."""
        return KIND_CLASSES[int(self.kind_K.argmax())]


@dataclass(frozen=True, eq=False)
class Observation:
    """A clip as the oracles see it; the largest subject comes first.

    ``frames_THWC`` are at the reader's size. Probabilities by place, weather and style are means
    over the frames.
    """

    frames_THWC: Frames
    subjects: tuple[Subject, ...]
    place_P: F32
    weather_W: F32
    style_S: F32
    camera_M: F32
    """Probability by camera move (CAMERA_MOVES)."""
    flow: Flow


def observe(frames_THWC: Frames, eyes: Perception) -> Observation:
    """Look at a clip (or at one image, T = 1)."""
    reading = eyes.scene.read(frames_THWC)
    seen = prepare(frames_THWC).permute(0, 2, 3, 1).add(1.0).mul(127.5).round()
    frames: Frames = seen.numpy().astype(np.uint8)
    flow = place_flow(frames, reading.subject)
    found = [(mask, track_of(mask, frames)) for mask in subject_masks(reading)]
    subjects = []
    camera = eyes.movement.read(features(found[0][1] if found else None, flow))[1]
    for mask, track in found:
        subjects.append(
            Subject(
                mask_Thw=mask,
                color_C=_colors(reading, mask),
                kind_K=eyes.kind.read(crops(mask, frames)),
                motion_M=eyes.movement.read(features(track, flow))[0],
                track=track,
            )
        )
    return Observation(
        frames,
        tuple(subjects),
        reading.place_TP.mean(0),
        reading.weather_TW.mean(0),
        reading.style_TS.mean(0),
        camera,
        flow,
    )


def subject_masks(reading: FrameReading) -> list[F32]:
    """Masks of the subjects, largest first, told apart by their colours.

    A colour whose cells mostly touch those of a larger one is a misread part of that subject.
    """
    shown = reading.subject > 0.5
    total = float(shown.sum())
    if total < MIN_CELLS * len(shown):
        return []
    best = 1 + reading.color_TChw[:, 1:].argmax(1)
    mass = np.bincount(best[shown], minlength=len(COLOR_CLASSES))
    least = max(MIN_SHARE * total, MIN_CELLS)
    kept: list[int] = []
    for color in (int(c) for c in np.argsort(-mass) if mass[c] >= least):
        cells = shown & (best == color)
        if not any(_contact(cells, shown & (best == other)) > MAX_CONTACT for other in kept):
            kept.append(color)
    if not kept:
        return []
    nearest = np.asarray(kept)[reading.color_TChw[:, kept].argmax(1)]
    masks = [(reading.subject * (shown & (nearest == c))).astype(np.float32) for c in kept]
    return sorted(masks, key=lambda mask: -float(mask.sum()))


def _contact(cells_Thw: Cells, other_Thw: Cells) -> float:
    """Share of the cells that touch one of the others."""
    wide = np.pad(other_Thw, ((0, 0), (1, 1), (1, 1)))
    near = wide[:, :-2, 1:-1] | wide[:, 2:, 1:-1] | wide[:, 1:-1, :-2] | wide[:, 1:-1, 2:]
    return float((near & cells_Thw).sum() / cells_Thw.sum())


def _colors(reading: FrameReading, mask_Thw: F32) -> F32:
    """Mean probability by colour over a subject; class 0 (no subject) gets none."""
    out: F32 = np.moveaxis(reading.color_TChw, 1, -1)[mask_Thw > 0].mean(0)
    out[0] = 0.0
    return out / max(float(out.sum()), 1e-6)
