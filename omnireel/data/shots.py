"""Where one shot ends and another begins: hard cuts, dissolves, fades through one colour.

Of every frame only a small picture and a histogram of its colours are kept. Two frames are as
different as the better of two explanations fails: that the one is the other moved (the greatest
normalised correlation over small shifts), and that they have the same colours. So a pan,
which moves everything, is no cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from omnireel.data.pictures import Pictures

F32 = npt.NDArray[np.float32]

SIZE = (32, 18)
"""Width and height of the small picture."""
PADDED = (24, 40)
"""Height and width of the spectra: room for shifts by a quarter of the picture."""
BINS = 4
"""Of each colour."""
DISSOLVE_S = (0.25, 0.6)
"""Half the length of gradual changes that are looked for, seconds."""


@dataclass(frozen=True, eq=False)
class Signatures:
    """Of T frames: ``small_THW``, luma with mean 0; ``histogram_TK`` with sum 1."""

    small_THW: F32
    histogram_TK: F32

    def __len__(self) -> int:
        return len(self.small_THW)

    @cached_property
    def waves_THF(self) -> npt.NDArray[np.complex64]:  # noqa: N802 (shape legend)
        """Spectra of the small pictures, padded, so that a shift does not wrap round."""
        return np.asarray(np.fft.rfft2(self.small_THW, PADDED), np.complex64)

    @cached_property
    def energy_T(self) -> F32:  # noqa: N802
        """Sums of squares, and a few grey levels squared, so that flat pictures are alike."""
        return np.asarray(np.square(self.small_THW).sum((1, 2)) + 600, np.float32)


def signatures(frames_T: Pictures) -> Signatures:
    """What is kept of T frames."""
    tiny = frames_T.thumbnails(SIZE)
    luma = (tiny @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.float32)
    mean = luma.mean(axis=(1, 2))
    bins = (tiny >> 6).astype(np.int32) @ np.array([BINS**2, BINS, 1], np.int32)
    histogram = np.zeros((len(tiny), BINS**3), np.float32)
    for i, row in enumerate(bins):
        histogram[i] = np.bincount(row.ravel(), minlength=BINS**3) / row.size
    return Signatures(luma - mean[:, None, None], histogram)


def difference(seen: Signatures, one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]) -> F32:
    """How unlike the frames ``one`` and ``other`` (indices, same length) are, 0 to 1."""
    height, width = seen.small_THW.shape[1:]
    waves = seen.waves_THF[one] * np.conj(seen.waves_THF[other])
    product = np.fft.irfft2(waves, PADDED)
    corners = [
        product[:, rows, columns].max(axis=(1, 2))
        for rows in (slice(height // 4), slice(-height // 4, None))
        for columns in (slice(width // 4), slice(-width // 4, None))
    ]
    energy = np.sqrt(seen.energy_T[one] * seen.energy_T[other])
    likeness = (np.max(corners, axis=0) / energy).clip(0, 1)
    colors = np.minimum(seen.histogram_TK[one], seen.histogram_TK[other]).sum(axis=1)
    return np.asarray(1 - np.maximum(likeness, 0) ** 0.5 * colors**0.5, np.float32)


def changes(seen: Signatures) -> F32:
    """Strength ``(T - 1,)``, 0 to 1, of a hard cut between each frame and the one before.

    Neighbours on both sides must differ (a flash comes back), and more than is usual about them.
    """
    count = len(seen)
    if count < 2:
        return np.zeros(0, np.float32)
    after = np.arange(1, count)
    step = difference(seen, after - 1, after)
    two = difference(seen, np.arange(count - 2), np.arange(2, count))
    # From the frame before the last one, and to the one after the next, where there is one.
    lasting = np.minimum([*step[:1], *two], [*two, *step[-1:]])
    strength = np.minimum(step, lasting)
    reach = 4
    padded = np.pad(step, reach, constant_values=np.nan)
    around = np.stack([padded[i : i + count - 1] for i in range(2 * reach + 1) if i != reach])
    usual = np.nan_to_num(np.nanmedian(around, axis=0)) if count > 3 else np.zeros(count - 1)
    return np.asarray(np.maximum(0, strength - usual), np.float32)


def dissolves(seen: Signatures, fps: float) -> F32:
    """Strength ``(T,)`` of a gradual change that is centred on each frame.

    The frame is a blend of one before and one after that differ like two shots (A and B of
    ``w A + (1 - w) B`` by least squares), or it is nearly flat between two that are not: a fade.
    """
    count = len(seen)
    best = np.zeros(count, np.float32)
    for half_s in DISSOLVE_S:
        half = max(1, round(half_s * fps))
        if count <= 2 * half:
            continue
        middle = np.arange(half, count - half)
        before, after = middle - half, middle + half
        apart = difference(seen, before, after)
        one, other, now = (seen.small_THW[i].reshape(len(i), -1) for i in (before, after, middle))
        gap = one - other
        size = np.square(gap).sum(axis=1) + 1e-3
        share = (gap * (now - other)).sum(axis=1) / size
        blend = other + share[:, None] * gap
        nearer = np.minimum(np.square(now - one).sum(1), np.square(now - other).sum(1))
        explained = 1 - np.square(now - blend).sum(axis=1) / (nearer + 0.05 * size)
        between = (share > 0.25) & (share < 0.75)
        energy = [np.square(x).mean(axis=1) for x in (one, other, now)]
        faded = energy[2] < 0.1 * np.minimum(energy[0], energy[1])
        strength = np.where(between, apart * explained.clip(0, 1), 0)
        strength = np.maximum(strength, np.where(faded, apart, 0))
        best[middle] = np.maximum(best[middle], strength)
    return best
