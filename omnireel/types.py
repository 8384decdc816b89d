"""Small frozen dataclasses that every part of Omnireel shares.

Shape legend used all over the code base: the name of a tensor ends in its dimensions.

- ``B`` batch (in attention: blocks), ``T`` frames (or latent frames), ``H`` height, ``W`` width,
  ``C`` channels; small letters are the same after a reduction.
- ``N`` tokens, ``M`` keys of attention, ``L`` slots of a padded block, ``P`` values of a visual
  token (channels times the area of its patch), ``D`` model width, ``K`` heads, ``E`` head width.
- ``F`` plain numbers (features), ``G`` groups, ``V`` variants of one request under guidance.
- A digit is a fixed size: ``positions_N4`` has four coordinates for each token.

Some letters mean something else in a few files: ``K`` counts the given clips where pixels are
chosen (:mod:`omnireel.model.pixel_pointer`), and the subjects of a clip in :mod:`omnireel.embed`,
where ``M`` counts texts. Other files say at the top, or beside the tensor, what theirs mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
"""RGB frames, ``frames_THWC`` in 0..255."""

MAX_GUIDANCE = 20.0
"""Largest guidance scale that the model, the gateway and the Studio take."""


class MediaKind(StrEnum):
    """What a declared input is."""

    IMAGE = "image"
    VIDEO = "video"


class Role(StrEnum):
    """What a condition is there for. The order is part of the model format: append only."""

    TEXT = "text"
    REFERENCE = "reference"
    ELEMENT = "element"
    SOURCE = "source"
    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"
    STORYBOARD = "storyboard"
    MOTION = "motion"
    CAMERA = "camera"
    ANNOTATION = "annotation"
    LOW_RESOLUTION = "low_resolution"
    TARGET = "target"


@dataclass(frozen=True)
class VideoFormat:
    """Size and timing of a clip: pixels, frames, frames per second."""

    width: int
    height: int
    num_frames: int
    fps: float

    @property
    def duration_s(self) -> float:
        """Seconds that the clip plays."""
        return self.num_frames / self.fps


@dataclass(frozen=True)
class Audio:
    """PCM sound: ``samples_CN`` float32 in -1..1, ``rate`` in Hz."""

    samples_CN: npt.NDArray[np.float32]
    rate: int


@dataclass(frozen=True, eq=False)
class Clip:
    """Decoded frames ``frames_THWC`` (an image has T = 1), their rate and sound, if any."""

    frames_THWC: Frames
    fps: float = 8.0
    audio: Audio | None = None

    @property
    def format(self) -> VideoFormat:
        """The clip's size and timing."""
        t, h, w, _ = self.frames_THWC.shape
        return VideoFormat(width=w, height=h, num_frames=t, fps=self.fps)


MediaSet = Mapping[str, tuple[Clip, ...]]
"""Decoded media by input or element name; an image or video has one clip, an element several."""
