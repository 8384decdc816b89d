"""Pictures as codecs keep them: luma, and colours of fewer pixels; RGB only where it is asked for.

Most checks look at luma alone, which decoders give away for nothing, while RGB of every frame costs
as much as all of these checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data.gray import Gray, gray_of
from omnireel.types import Frames

F32 = npt.NDArray[np.float32]


class Pictures(Protocol):
    """One picture, or T of one size. Arrays start with T where there are several."""

    @property
    def luma(self) -> Gray:
        """``(T, H, W)``, 0 to 255."""

    @property
    def rgb(self) -> Frames:
        """``(T, H, W, 3)``."""

    def at(self, index: list[int]) -> Pictures:
        """Some of the T pictures."""

    def thumbnails(self, size: tuple[int, int]) -> Frames:
        """RGB at ``size`` (width, height), averaged over what each pixel covers."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Pictures that are given in RGB."""

    rgb: Frames

    @cached_property
    def luma(self) -> Gray:
        """With the weights of ITU-R BT.601."""
        return gray_of(self.rgb)

    def at(self, index: list[int]) -> Drawn:
        """See :meth:`Pictures.at`."""
        return Drawn(self.rgb[index])

    def thumbnails(self, size: tuple[int, int]) -> Frames:
        """See :meth:`Pictures.thumbnails`."""
        return _each(self.rgb, 3, size, cv2.INTER_AREA)


@dataclass(frozen=True, eq=False)
class Coded:
    """Pictures as they came out of a decoder, luma stretched to its full range."""

    luma: Gray
    tints: tuple[Gray, Gray]
    """How much bluer and redder than grey (128), ``(T, h, w)`` each, of any size."""
    to_rgb: F32
    """``(3, 4)``: RGB of luma, blue, red and 1; see :func:`rgb_matrix`."""

    @cached_property
    def rgb(self) -> Frames:
        """Tints are made as large as luma."""
        size = (self.luma.shape[-1], self.luma.shape[-2])
        return self._rgb(self.luma, *(_each(t, 2, size, cv2.INTER_LINEAR) for t in self.tints))

    def at(self, index: list[int]) -> Coded:
        """See :meth:`Pictures.at`."""
        blue, red = (tint[index] for tint in self.tints)
        return Coded(self.luma[index], (blue, red), self.to_rgb)

    def thumbnails(self, size: tuple[int, int]) -> Frames:
        """See :meth:`Pictures.thumbnails`."""
        return self._rgb(*(_each(p, 2, size, cv2.INTER_AREA) for p in (self.luma, *self.tints)))

    def _rgb(self, luma: Gray, blue: Gray, red: Gray) -> Frames:
        """Planes of one size; as one tall picture, so that a clip is one call."""
        tall = cv2.merge([plane.reshape(-1, luma.shape[-1]) for plane in (luma, blue, red)])
        rgb = np.asarray(cv2.transform(tall, self.to_rgb), np.uint8)
        return rgb.reshape(*luma.shape, 3)


def join(pictures: list[Coded]) -> Coded:
    """Pictures ``(H, W)`` of one track -> one of T pictures."""
    blue, red = (np.stack([p.tints[i] for p in pictures]) for i in (0, 1))
    return Coded(np.stack([p.luma for p in pictures]), (blue, red), pictures[0].to_rgb)


def rgb_matrix(red: float, blue: float, *, full: bool) -> F32:
    """What makes RGB of luma (full range) and tints.

    Args:
        red: weight of red in luma, as ITU-R BT.601, BT.709 and BT.2020 state it.
        blue: that of blue.
        full: tints go from 0 to 255, not from 16 to 240.

    """
    gain = 1.0 if full else 255 / 224
    of_red, of_blue = 2 * (1 - red) * gain, 2 * (1 - blue) * gain
    green = 1 - red - blue
    rows = np.array(
        [
            [1, 0, of_red],
            [1, -of_blue * blue / green, -of_red * red / green],
            [1, of_blue, 0],
        ],
        np.float32,
    )
    offset = -128 * rows[:, 1:].sum(axis=1, keepdims=True)
    return np.hstack([rows, offset]).astype(np.float32)


def _each(pictures: Gray, axes: int, size: tuple[int, int], how: int) -> Gray:
    """Every picture at ``size``; the last ``axes`` axes are those of one picture."""
    if pictures.ndim == axes:
        return np.asarray(cv2.resize(pictures, size, interpolation=how), np.uint8)
    lead = pictures.shape[: pictures.ndim - axes]
    flat = pictures.reshape(-1, *pictures.shape[-axes:])
    scaled = np.stack([cv2.resize(p, size, interpolation=how) for p in flat])
    return np.asarray(scaled, np.uint8).reshape(*lead, *scaled.shape[1:])
