"""What every check is shown: one shot of one file, with the frames that were decoded of it.

A file is probed once (`FileFacts`), decoded once at most, and split into shots; every shot, and
every image, is a :class:`Candidate`. All checks of tiers 1 and 2 share the frames of that one pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnireel.data.pictures import Pictures
from omnireel.types import Frames, MediaKind, Role

WORKING_SHORT_SIDE = 144
"""Pixels of the short side of working frames; smaller pictures stay as they are."""
FRAMES_PER_SECOND = 8.0
"""Of the even sampling."""
MAX_FRAMES = 96
BURST_FRAMES = 8
MAX_BURSTS = 3
MAX_DETAILS = 3


@dataclass(frozen=True)
class AudioFacts:
    """The first sound track: what the header says, and what decoding it showed."""

    codec: str
    rate: int
    channels: int
    seconds: float
    """From the first to the end of the last packet."""
    broken: bool
    """Whether the decoder is missing or some packets could not be decoded."""


@dataclass(frozen=True)
class FileFacts:
    """What one file is: its header's word beside what reading it to the end showed."""

    kind: MediaKind
    size_bytes: int
    container: str = ""
    """FFmpeg's demuxer or Pillow's format; empty: nothing that is known."""
    codec: str = ""
    width: int = 0
    """Pixels as shown: square, and turned as the file asks for."""
    height: int = 0
    fps: float = 0.0
    """Frames per second by the packets' own times; 0 for an image."""
    said_s: float = 0.0
    """Duration in the header, seconds; 0: it says none."""
    seen_s: float = 0.0
    """From the first picture packet to the end of the last one, seconds."""
    packets: int = 0
    """Picture packets that are really there."""
    decoded: int = 0
    """Frames that came out of the decoder."""
    corrupt: int = 0
    """Packets that the decoder refused, and frames that it flagged as damaged."""
    bits_per_pixel: float = 0.0
    """Compressed bits by pixel and frame of the picture track."""
    audio: AudioFacts | None = None
    error: str = ""
    """Why it could not be opened or read to its end; empty: it could."""


@dataclass(frozen=True)
class Shot:
    """A part of a file, seconds from the file's first picture."""

    start_s: float = 0.0
    end_s: float = 0.0
    index: int = 0
    whole: bool = True
    """Whether it is the whole file."""

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.end_s - self.start_s


@dataclass(frozen=True, eq=False)
class SampledFrames:
    """The decoded frames of one shot, bounded in number whatever its length.

    ``working`` are about :data:`FRAMES_PER_SECOND` a second (fewer in a long shot, never more than
    :data:`MAX_FRAMES`), shrunk to :data:`WORKING_SHORT_SIDE`; an image has T = 1.
    ``bursts`` are runs of neighbouring frames at the full frame rate, of the same size, luma only
    ``(T, H, W)``. ``details`` are a few frames at full resolution.
    """

    working: Pictures
    times_s: npt.NDArray[np.float64]
    """Of the working frames, from the file's first picture."""
    bursts: tuple[npt.NDArray[np.uint8], ...] = ()
    burst_times_s: tuple[npt.NDArray[np.float64], ...] = ()
    details: tuple[Pictures, ...] = ()
    detail_times_s: tuple[float, ...] = ()

    @property
    def luma_THW(self) -> npt.NDArray[np.uint8]:  # noqa: N802 (shape legend)
        """Luma of the working frames."""
        return self.working.luma

    @property
    def frames_THWC(self) -> Frames:  # noqa: N802
        """The working frames in RGB, made when they are first asked for."""
        return self.working.rgb


@dataclass(frozen=True)
class Companion:
    """A file that belongs to a sample: a reference, an element's picture, the source of an edit."""

    name: str
    """In the prompt, without ``@``; an element's pictures share one."""
    role: Role
    path: Path
    kind: MediaKind
    """By its name."""
    sha256: str = ""
    shown: Pictures | None = field(default=None, repr=False, compare=False)
    """Working frames; None: not decoded, see ``error``."""
    error: str = ""
    """Why it cannot be decoded, or is not of its kind; empty: it can, or nobody tried."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One shot or image that may become a training sample."""

    key: str
    """The file's name below the input folder, and ``#n`` for shot n of several."""
    path: Path
    """A local file."""
    sha256: str
    """Of the file."""
    file: FileFacts
    """To checks without frames: of the whole file. To the others: as far as it was read when the
    shot ended, because frames of a long file are not kept until then."""
    shot: Shot = field(default_factory=Shot)
    frames: SampledFrames | None = None
    """None: nothing could be decoded; only checks that need none are asked."""
    caption: str = ""
    """The caption, or the instruction of an edit; empty: there is none."""
    companions: tuple[Companion, ...] = ()

    @property
    def kind(self) -> MediaKind:
        """Image or video."""
        return self.file.kind

    def of_role(self, role: Role) -> tuple[Companion, ...]:
        """The companions of one role, in order."""
        return tuple(c for c in self.companions if c.role is role)
