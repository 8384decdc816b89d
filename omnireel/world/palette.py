"""The world's colours: saturated subjects on pastel backdrops.

Values are chosen once in sRGB (what a person sees) and squared into the linear space that the
renderer computes in (it encodes with gamma 2, a square root).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from omnireel.errors import InvalidInput
from omnireel.world.scene import COLORS

F32 = npt.NDArray[np.floating[Any]]
"""A float32 array. (NumPy's stubs lose the width in mixed arithmetic, so the alias is wider.)"""

SRGB: dict[str, tuple[int, int, int]] = {
    "red": (221, 45, 48),
    "orange": (250, 132, 22),
    "yellow": (252, 214, 40),
    "green": (60, 172, 62),
    "teal": (8, 176, 172),
    "blue": (38, 92, 226),
    "purple": (128, 58, 196),
    "pink": (250, 122, 182),
    "white": (247, 246, 242),
    "black": (34, 34, 40),
}
"""What each colour name looks like in full light, sRGB 0..255. Covers COLORS exactly."""

assert tuple(SRGB) == COLORS


def linear(srgb: Sequence[float]) -> F32:
    """Convert sRGB 0..255 to linear 0..1 under the world's gamma of 2."""
    return (np.asarray(srgb, np.float32) / np.float32(255.0)) ** 2


_LINEAR = {name: linear(value) for name, value in SRGB.items()}


def albedo(color: str) -> F32:
    """Linear RGB (3,) of a name in COLORS; raises InvalidInput for any other."""
    try:
        return _LINEAR[color]
    except KeyError:
        known = ", ".join(COLORS)
        raise InvalidInput(f"Unknown color {color!r}; use one of {known}.", field="color") from None
