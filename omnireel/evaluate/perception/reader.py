"""The scene reader: from frames to per-pixel subject and colour, and per-frame place and mood.

A U-Net (Ronneberger et al., arXiv 1505.04597) of about 0.2 M parameters that works at half the
frame's resolution. It sees one frame at a time and nothing of the prompt, so whatever it says can
be compared with the prompt. It is fitted on the procedural world and is of no use outside it.
Every cell of a subject carries the subject's main colour, its face, props and stripes included.

Shapes: ``h, w`` are the sides of the label grid, half of those of the frames it is given (which
are first brought to a short side of 64 pixels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.types import Frames
from omnireel.world.palette import SRGB
from omnireel.world.scene import CHARACTERS, COLORS, PLACES, SHAPES, STYLES, WEATHERS

KINDS = SHAPES + CHARACTERS
BROKEN = "broken"
"""A kind of its own for fragments that are no subject of the world any more."""
COLOR_CLASSES = ("", *COLORS)
"""What a cell can show; "" is the place."""
TINTS_C3 = np.array([SRGB[color] for color in COLORS], np.float32) / 127.5 - 1.0
"""What each colour looks like in full light, RGB in -1..1."""
KIND_CLASSES = (*KINDS, BROKEN)
SHORT_SIDE = 64
STRIDE = 2
"""Pixels (at the short side above) per cell of the label grid."""

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ReaderConfig:
    """Channels at strides 2, 4 and 8."""

    fine: int = 16
    middle: int = 32
    coarse: int = 64
    coarse_blocks: int = 2


@dataclass(frozen=True, eq=False)
class FrameReading:
    """Probabilities for every frame of a clip, in the order of the class tuples above."""

    color_TChw: F32
    place_TP: F32
    weather_TW: F32
    style_TS: F32

    @property
    def subject(self) -> F32:
        """Share of each cell that shows a subject, 0..1, ``Thw``."""
        return 1.0 - self.color_TChw[:, 0]


class _Block(nn.Sequential):
    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class SceneReader(nn.Module):
    """Logits of every head for ``video_BCHW`` in -1..1 with sides that are multiples of 8."""

    def __init__(self, config: ReaderConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or ReaderConfig()
        self.fine = nn.Sequential(_Block(3 * STRIDE**2, c.fine), _Block(c.fine, c.fine))
        self.middle = nn.Sequential(_Block(c.fine, c.middle, 2), _Block(c.middle, c.middle))
        self.coarse = nn.Sequential(
            _Block(c.middle, c.coarse, 2),
            *(_Block(c.coarse, c.coarse) for _ in range(c.coarse_blocks)),
        )
        self.to_middle = nn.Conv2d(c.coarse, c.middle, 1)
        self.join_middle = _Block(2 * c.middle, c.middle)
        self.to_fine = nn.Conv2d(c.middle, c.fine, 1)
        self.join_fine = _Block(2 * c.fine, c.fine + 8)
        self.pixels = nn.Conv2d(c.fine + 8, len(COLOR_CLASSES), 1)
        self.whole = nn.Linear(2 * c.coarse, len(PLACES) + len(WEATHERS) + len(STYLES))

    def forward(self, video_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits: colours BChw, places BP, weathers BW, styles BS."""
        fine = self.fine(F.pixel_unshuffle(video_BCHW, STRIDE))
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        up = F.interpolate(self.to_middle(coarse), size=middle.shape[2:], mode="nearest")
        up = self.join_middle(torch.cat([up, middle], 1))
        up = F.interpolate(self.to_fine(up), size=fine.shape[2:], mode="nearest")
        color = self.pixels(self.join_fine(torch.cat([up, fine], 1)))
        pooled = torch.cat([coarse.mean((2, 3)), coarse.amax((2, 3))], 1)
        place, weather, style = self.whole(pooled).split(
            [len(PLACES), len(WEATHERS), len(STYLES)], dim=1
        )
        return color, place, weather, style

    @torch.inference_mode()
    def read(self, frames_THWC: Frames) -> FrameReading:
        """Read every frame of a clip of any size."""
        logits = self(prepare(frames_THWC))
        return FrameReading(*(t.softmax(1).numpy() for t in logits))


def prepare(frames_THWC: Frames) -> Tensor:
    """Frames as ``TCHW`` in -1..1, short side about 64, sides multiples of 8."""
    video = torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(0, 3, 1, 2).float()
    h, w = frames_THWC.shape[1:3]
    scale = SHORT_SIDE / min(h, w)
    size = (max(8, 8 * round(h * scale / 8)), max(8, 8 * round(w * scale / 8)))
    if size != (h, w):
        video = F.interpolate(video, size, mode="bicubic", antialias=True, align_corners=False)
    return video.clamp(0, 255) / 127.5 - 1.0
