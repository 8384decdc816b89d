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
from collections.abc import Sequence
from dataclasses import dataclass

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
MIN_DEVIATION = 6.0
"""Grey levels; flatter pictures say nothing and are left out."""
_HEADER = struct.Struct("<BHHd")
_VERSION = 2


def _part(scale: float, steps: int) -> list[tuple[float, float, float]]:
    return [
        (scale, (1 - scale) * x / (steps - 1), (1 - scale) * y / (steps - 1))
        for y in range(steps)
        for x in range(steps)
    ]


PARTS: tuple[tuple[float, float, float], ...] = (
    *_part(0.94, 2),
    (0.94, 0.03, 0.03),
    *_part(0.88, 3),
    *_part(0.82, 3),
    *_part(0.76, 4),
)
"""Size, left and top, as shares of the picture: so dense that 9 of 10 crops are within 8 bits."""


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
    pictures = gray.working(frames)
    bars = find_bars(pictures)
    _, height, width = pictures.shape
    inner = pictures[:, bars["top"] : height - bars["bottom"], bars["left"] : width - bars["right"]]
    times = frames.times_s - frames.times_s[0]
    slots = np.floor(times / KEPT_EVERY_S + 1e-3).astype(int)
    chosen = [i for i in np.unique(slots, return_index=True)[1] if inner[i].std() >= MIN_DEVIATION]
    whole = codes([inner[i] for i in chosen])
    with_parts = list(range(0, len(chosen), PARTS_EVERY))
    parts = codes([_cut(inner[chosen[n]], *part) for n in with_parts for part in PARTS])
    return Fingerprint(
        float(times[-1]),
        times[chosen].astype(np.float32),
        whole,
        np.array(with_parts, np.uint16),
        parts.reshape(len(with_parts), len(PARTS)),
    )


def code(gray_HW: gray.Gray) -> int:
    """64 signs of a picture."""
    return int(codes([gray_HW])[0])


def codes(pictures: Sequence[gray.Gray]) -> Codes:
    """The code of each picture; they may have different sizes."""
    squares = np.empty((len(pictures), SIDE, SIDE), np.float32)
    for square, picture in zip(squares, pictures, strict=True):
        square[:] = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    waves_N = _COSINES @ squares @ _COSINES.T
    signs = np.packbits(waves_N[:, _ROWS, _COLUMNS] > 0, axis=1, bitorder="little")
    return np.ascontiguousarray(signs).view("<u8").ravel().astype(np.uint64)


def mirrored(codes: Codes) -> Codes:
    """The codes of the pictures seen in a mirror."""
    return np.bitwise_xor(codes, _ODD)


def _cut(gray_HW: gray.Gray, scale: float, left: float, top: float) -> gray.Gray:
    height, width = gray_HW.shape
    y, x = round(top * height), round(left * width)
    return gray_HW[y : y + max(1, round(scale * height)), x : x + max(1, round(scale * width))]


def _frequencies() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the 64 lowest frequencies but the mean."""
    grid = [(r * r + c * c, r, c) for r in range(12) for c in range(12) if r or c]
    rows, columns = zip(*((r, c) for _, r, c in sorted(grid)[:64]), strict=True)
    return np.array(rows), np.array(columns)


_ROWS, _COLUMNS = _frequencies()
_COSINES = np.cos(
    np.pi * np.arange(12)[:, None] * (2 * np.arange(SIDE)[None] + 1) / (2 * SIDE)
).astype(np.float32)
_ODD = np.uint64(sum(1 << int(bit) for bit in np.flatnonzero(_COLUMNS % 2)))
