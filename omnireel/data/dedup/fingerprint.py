"""A compact description of what a clip shows when, to be found again after the clip was re-encoded,
rescaled, cropped, mirrored, letterboxed, played faster, or got a logo.

1. Bars are cut off; a frame of each quarter of a second is kept.
2. A picture becomes the signs of 64 low frequencies of its cosine transform (as pHash: Zauner,
   "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). Signs about
   zero, not a median, so that a mirrored picture has the same code with the odd columns inverted.
3. Of every second kept frame, parts are described too: what remains of a crop is one of them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from omnireel.data import gray
from omnireel.data.bars import find_bars
from omnireel.data.candidate import SampledFrames
from omnireel.data.dedup.hamming import Codes

KEPT_EVERY_S = 0.25
PARTS_EVERY = 2
"""Kept frames from one whose parts are described to the next."""
SIDE = 32
"""Pixels of the square that is transformed."""
WAVES = 12
"""Lowest frequencies of each side that are worked out."""
MIN_DEVIATION = 6.0
"""Grey levels; flatter pictures say nothing and are left out."""
_HEADER = struct.Struct("<BHHd")
_VERSION = 3


Part = tuple[float, float, float]
"""Size, left and top, as shares of the picture."""
F32 = npt.NDArray[np.float32]


def _part(scale: float, steps: int) -> list[Part]:
    return [
        (scale, (1 - scale) * x / (steps - 1), (1 - scale) * y / (steps - 1))
        for y in range(steps)
        for x in range(steps)
    ]


WHOLE: Part = (1.0, 0.0, 0.0)
PARTS: tuple[Part, ...] = (
    *_part(0.94, 2),
    (0.94, 0.03, 0.03),
    *_part(0.88, 3),
    *_part(0.82, 3),
    *_part(0.76, 4),
)
"""So dense that 9 of 10 crops are within 8 bits."""


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """``whole_N`` describes frames at ``times_N`` seconds; ``parts_MP`` parts of some of them,
    those at ``times_N[part_at_M]``. ``seconds`` is from the first frame to the last.
    """

    seconds: float
    times_N: npt.NDArray[np.float32]
    whole_N: Codes
    part_at_M: npt.NDArray[np.uint16]
    parts_MP: Codes

    def to_bytes(self) -> bytes:
        """About 700 bytes for each second."""
        head = _HEADER.pack(_VERSION, len(self.times_N), len(self.part_at_M), self.seconds)
        arrays = (self.times_N, self.whole_N, self.part_at_M, self.parts_MP)
        return head + b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)

    @staticmethod
    def from_bytes(data: bytes) -> Fingerprint:
        """Undo :meth:`to_bytes`; raises ValueError for anything else."""
        version, n, m, seconds = _HEADER.unpack_from(data)
        if version != _VERSION or len(data) != _HEADER.size + 12 * n + (2 + 8 * len(PARTS)) * m:
            raise ValueError("no fingerprint of this version")
        at = _HEADER.size
        times = np.frombuffer(data, np.float32, n, at)
        whole = np.frombuffer(data, np.uint64, n, at := at + 4 * n)
        part_at = np.frombuffer(data, np.uint16, m, at := at + 8 * n)
        parts = np.frombuffer(data, np.uint64, m * len(PARTS), at + 2 * m)
        return Fingerprint(seconds, times, whole, part_at, parts.reshape(m, len(PARTS)))


def fingerprint(frames: SampledFrames) -> Fingerprint:
    """Describe the working frames of a shot; flat frames are left out, so it may be empty."""
    pictures = _halved(frames.luma_THW)
    bars = find_bars(pictures)
    _, height, width = pictures.shape
    inner = pictures[:, bars["top"] : height - bars["bottom"], bars["left"] : width - bars["right"]]
    times = frames.times_s - frames.times_s[0]
    slots = np.floor(times / KEPT_EVERY_S + 1e-3).astype(int)
    chosen = [i for i in np.unique(slots, return_index=True)[1] if inner[i].std() >= MIN_DEVIATION]
    with_parts = list(range(0, len(chosen), PARTS_EVERY))
    return Fingerprint(
        float(times[-1]),
        times[chosen].astype(np.float32),
        codes(inner[chosen], (WHOLE,))[:, 0],
        np.array(with_parts, np.uint16),
        codes(inner[[chosen[n] for n in with_parts]], PARTS),
    )


def _halved(gray_THW: gray.Gray) -> gray.Gray:
    """Fine detail says nothing about the lowest frequencies."""
    size = tuple(max(1, side // 2) for side in gray_THW.shape[:0:-1])
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in gray_THW])


def code(gray_HW: gray.Gray) -> int:
    """64 signs of a picture."""
    return int(codes(gray_HW[None], (WHOLE,))[0, 0])


def codes(gray_THW: gray.Gray, parts: tuple[Part, ...]) -> Codes:
    """The codes ``(T, P)`` of parts of each picture.

    What would be cut out, shrunk to a square and transformed is one matrix on each side of the
    picture; parts share them.
    """
    if not len(gray_THW):
        return np.zeros((0, len(parts)), np.uint64)
    down, across = (_transforms(side, parts, axis) for axis, side in enumerate(gray_THW.shape[1:]))
    waves = down.matrix @ gray_THW.astype(np.float32) @ across.matrix.T
    grid = waves.reshape(len(gray_THW), len(down.matrix) // WAVES, WAVES, -1, WAVES)
    waves_PTRC = grid[:, down.of_part, :, across.of_part, :]
    signs = np.packbits(waves_PTRC[:, :, _ROWS, _COLUMNS] > 0, axis=2, bitorder="little")
    return np.ascontiguousarray(signs).view("<u8")[..., 0].T.astype(np.uint64)


def mirrored(codes: Codes) -> Codes:
    """The codes of the pictures seen in a mirror."""
    return np.bitwise_xor(codes, _ODD)


@dataclass(frozen=True, eq=False)
class _Transforms:
    """Of one side of a picture: the matrices of different parts one below the other, and which of
    them each part has."""

    matrix: F32
    of_part: list[int]


@lru_cache(maxsize=16)
def _transforms(side: int, parts: tuple[Part, ...], axis: int) -> _Transforms:
    """``axis`` 0: from top to bottom; 1: from left to right."""
    cuts = []
    for scale, left, top in parts:
        start = round((left if axis else top) * side)
        cuts.append((start, min(side, start + max(1, round(scale * side)))))
    distinct = sorted(set(cuts))
    matrix = np.zeros((len(distinct), WAVES, side), np.float32)
    for rows, (start, end) in zip(matrix, distinct, strict=True):
        rows[:, start:end] = _COSINES @ _shares(end - start)
    return _Transforms(matrix.reshape(-1, side), [distinct.index(cut) for cut in cuts])


def _shares(length: int) -> F32:
    """Of each of :data:`SIDE` equal stretches, the share that each of ``length`` pixels has."""
    edges = np.arange(length + 1) * SIDE / length
    stretch = np.arange(SIDE)[:, None]
    return np.diff(np.clip(edges, stretch, stretch + 1), axis=1).astype(np.float32)


def _frequencies() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the 64 lowest frequencies but the mean."""
    grid = [(r * r + c * c, r, c) for r in range(WAVES) for c in range(WAVES) if r or c]
    rows, columns = zip(*((r, c) for _, r, c in sorted(grid)[:64]), strict=True)
    return np.array(rows), np.array(columns)


_ROWS, _COLUMNS = _frequencies()
_COSINES = np.cos(
    np.pi * np.arange(WAVES)[:, None] * (2 * np.arange(SIDE)[None] + 1) / (2 * SIDE)
).astype(np.float32)
_ODD = np.uint64(sum(1 << int(bit) for bit in np.flatnonzero(_COLUMNS % 2)))
