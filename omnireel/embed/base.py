"""What an embedder is: clips, images, texts and subjects as vectors, and how well two agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from omnireel.types import Frames

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EditAgreement:
    """Both 0 to 1: whether the result does what was asked, and whether it changed nothing else.

    ``kept`` is None for a model that compares words with pictures but not pictures with each other.
    """

    done: float
    kept: float | None


@dataclass(frozen=True)
class MovementAgreement:
    """Chances, 0 to 1, that the subjects of two clips move in the same way, and the cameras."""

    subject: float
    camera: float


class Embedder(Protocol):
    """A contrastive model. An image is a clip of one frame; frames are RGB ``THWC``, any size."""

    @property
    def name(self) -> str:
        """Which weights, for the record: a name and the start of their hash."""

    def embed_clips(self, clips: Sequence[Frames]) -> F32:
        """Unit vectors ``NE``, in one space with those of texts."""

    def embed_texts(self, texts: Sequence[str]) -> F32:
        """Unit vectors ``NE``."""

    def embed_subjects(self, clips: Sequence[Frames]) -> F32:
        """Unit vectors ``NS`` of each clip's main subject, in a space of their own."""

    def agreement(self, clip: Frames, texts: Sequence[str]) -> F32:
        """How well each text tells what the clip shows, 0 to 1."""

    def appearance(self, reference: Frames, clip: Frames) -> float:
        """How clearly the subject of a picture (or of another clip) appears in the clip, 0 to 1."""

    def edit(self, source: Frames, result: Frames, instruction: str) -> EditAgreement:
        """Whether ``result`` is ``source`` edited as told. Raises InvalidInput when the two differ
        in size or in number of frames.
        """

    def movement(self, one: Frames, other: Frames) -> MovementAgreement | None:
        """How alike two clips move; None from a model that looks at single pictures."""
