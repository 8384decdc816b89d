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
from omnireel.world.scene import COLORS

Cells = npt.NDArray[np.bool_]

MIN_SHARE = 0.12
"""A colour that covers less of all subjects than this is a misreading, no second subject."""
APART = 1.15
"""Distance (see `distance`) from which two colours are two subjects."""
FEW_CELLS = 4
"""Cells of a frame below which a colour's place in it is not looked at."""
MIN_CELLS = 6.0
"""Mean cells per frame below which nothing counts as a subject."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One subject of a clip. ``mask_Thw``: share of each cell that it fills."""

    mask_Thw: F32
    color_C: F32
    """Probability by colour (COLORS)."""
    kind_K: F32
    """Probability by kind (KIND_CLASSES)."""
    motion_M: F32
    """Probability by motion (MOTIONS)."""
    track: ScreenTrack

    @property
    def color(self) -> str:
        """The most likely colour."""
        return COLORS[int(self.color_C.argmax())]

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
        kind, color = eyes.subject.read(crops(mask, frames))
        subjects.append(
            Subject(
                mask_Thw=mask,
                color_C=color,
                kind_K=kind,
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
    """Masks of the subjects, largest first, told apart by colour and distance.

    A colour that never gets far from a larger one is a part of that subject, say its hair.
    """
    shown = reading.subject > 0.5
    total = float(shown.sum())
    if total < MIN_CELLS * len(shown):
        return []
    best = 1 + reading.color_TChw[:, 1:].argmax(1)
    mass = np.bincount(best[shown], minlength=len(COLOR_CLASSES))
    groups: list[Cells] = []
    for color in (int(c) for c in np.argsort(-mass) if mass[c] >= MIN_CELLS):
        cells = shown & (best == color)
        apart = [distance(cells, group) for group in groups]
        if not groups or (min(apart) >= APART and mass[color] >= MIN_SHARE * total):
            groups.append(cells)
        else:
            groups[int(np.argmin(apart))] |= cells
    masks = [(reading.subject * group).astype(np.float32) for group in groups]
    return sorted(masks, key=lambda mask: -float(mask.sum()))


def distance(a_Thw: Cells, b_Thw: Cells) -> float:
    """How far two sets of cells get from each other, in the sum of their radii.

    Discs that touch are 1 apart. The upper fifth of the frames that show both decides.
    """
    found = []
    for a, b in zip(a_Thw, b_Thw, strict=True):
        na, nb = int(a.sum()), int(b.sum())
        if min(na, nb) < FEW_CELLS:
            continue
        (ya, xa), (yb, xb) = (np.argwhere(cells).mean(0) for cells in (a, b))
        found.append(np.hypot(ya - yb, xa - xb) / (np.sqrt(na / np.pi) + np.sqrt(nb / np.pi)))
    return float(np.quantile(found, 0.8)) if found else 0.0
