"""What can be wrong with a clip, done to a good one: functions of frames ``(T, H, W, 3)``, uint8.

Codecs are in `coding`.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omnireel.data.bench.canvas import F32
from omnireel.types import Frames

INKS = ((255, 255, 255), (255, 235, 60), (20, 20, 20), (230, 60, 50))
"""Colours of letters."""
FEWEST = 8
"""Letters and spaces that are left of a line that is too long."""


def defocus(frames: Frames, radius: float) -> Frames:
    """The blur of a lens out of focus: a disc of ``radius`` pixels."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # Soft at its rim, so that radii between whole pixels differ.
    disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1).astype(np.float32)
    return _each(frames, lambda frame: cv2.filter2D(frame, -1, disc / disc.sum()))


def soften(frames: Frames, sigma: float) -> Frames:
    """Gaussian blur of ``sigma`` pixels."""
    return _each(frames, lambda frame: cv2.GaussianBlur(frame, (0, 0), sigma))


def smear(frames: Frames, length: float, angle: float) -> Frames:
    """The blur of a camera that moves while its shutter is open: a line of ``length`` pixels."""
    reach = int(np.ceil(length / 2)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    line = np.clip(length / 2 + 0.5 - abs(along), 0, 1) * np.clip(1 - abs(across), 0, 1)
    return _each(frames, lambda frame: cv2.filter2D(frame, -1, line / line.sum()))


def enlarge(frames: Frames, factor: float) -> Frames:
    """A clip that was ``factor`` times smaller once."""
    _, height, width, _ = frames.shape
    small = (round(width / factor), round(height / factor))
    return _each(
        frames,
        lambda frame: cv2.resize(
            cv2.resize(frame, small, interpolation=cv2.INTER_AREA),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        ),
    )


def shake(frames: Frames, rng: np.random.Generator, share: float) -> Frames:
    """Every frame moved by a random offset with a deviation of ``share`` of the width."""
    count, height, width, _ = frames.shape
    deviation = share * width
    offsets_T2 = rng.normal(0, deviation, (count, 2)).clip(-3 * deviation, 3 * deviation)
    margin = 1 + 6 * share
    out = np.empty_like(frames)
    for i, (dx, dy) in enumerate(offsets_T2):
        # Enlarged a little, so that no border comes into view.
        matrix = np.array(
            [
                [1 / margin, 0, width / 2 * (1 - 1 / margin) + dx],
                [0, 1 / margin, height / 2 * (1 - 1 / margin) + dy],
            ]
        )
        out[i] = cv2.warpAffine(
            frames[i],
            matrix,
            (width, height),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
    return out


def expose(frames: Frames, stops: float) -> Frames:
    """More or less light by ``stops`` (2 to the power), clipped as a sensor clips."""
    linear = (np.arange(256) / 255.0) ** 2.2 * 2.0**stops
    table = np.round(255 * linear.clip(0, 1) ** (1 / 2.2)).astype(np.uint8)
    return np.asarray(table[frames], np.uint8)


def blow_out(frames: Frames, share: float, white: int = 255) -> Frames:
    """More light, until all but ``share`` of the pixels are below ``white``."""
    levels = np.bincount(frames[::4, ::2, ::2].min(axis=3).ravel(), minlength=256)
    brighter = np.cumsum(levels[::-1])[::-1] / levels.sum()
    level = max(1, int(np.searchsorted(-brighter, -share)))
    return expose(frames, float(2.2 * np.log2(white / level)))


def fog(frames: Frames, contrast: float) -> Frames:
    """Contrast lowered to a share of itself about the mean."""
    mean = float(frames.mean())
    table = np.round(mean + contrast * (np.arange(256) - mean)).clip(0, 255).astype(np.uint8)
    return np.asarray(table[frames], np.uint8)


def bars(frames: Frames, share: float, *, upright: bool, color: int = 0) -> Frames:
    """The picture made smaller between two bars that cover ``share`` of the frame."""
    _, height, width, _ = frames.shape
    out = np.full_like(frames, color)
    if upright:
        bar = round(width * share / 2)
        for i, frame in enumerate(frames):
            out[i, :, bar : width - bar] = _center(frame, width - 2 * bar, height)
    else:
        bar = round(height * share / 2)
        for i, frame in enumerate(frames):
            out[i, bar : height - bar] = _center(frame, width, height - 2 * bar)
    return out


def freeze(frames: Frames, start: int, length: int) -> Frames:
    """``length`` frames from ``start`` show what ``start`` shows; then it goes on."""
    index = np.arange(len(frames))
    index[start : start + length] = start
    return frames[index]


def stutter(frames: Frames, every: int) -> Frames:
    """Only every ``every``-th frame is shown, for as long as those between."""
    return frames[np.arange(len(frames)) // every * every]


def join(one: Frames, other: Frames, at: int, overlap: int = 0) -> Frames:
    """``one`` until frame ``at``, then ``other``; dissolved over ``overlap`` frames."""
    out = np.where(np.arange(len(one))[:, None, None, None] < at, one, other)
    for i in range(overlap):
        place = at - overlap // 2 + i
        share = np.float32((i + 1) / (overlap + 1))
        out[place] = ((1 - share) * one[place] + share * other[place] + 0.5).astype(np.uint8)
    return out


def through_black(one: Frames, other: Frames, at: int, length: int) -> Frames:
    """``one`` fades to black about frame ``at`` and ``other`` comes out of it."""
    joined = join(one, other, at).astype(np.float32)
    dim = (abs(np.arange(len(one)) + 0.5 - at) / (length / 2)).clip(0, 1)
    return np.asarray(joined * dim[:, None, None, None] + 0.5, np.uint8)


def flash(frames: Frames, at: int) -> Frames:
    """One frame far too bright, as by a photographer's flash: no cut."""
    out = frames.copy()
    out[at] = expose(frames[at : at + 1], 2.5)[0]
    return out


def write_text(frames: Frames, rng: np.random.Generator, text: str, height: float) -> Frames:
    """Letters of ``height`` (a share of the picture's) over every frame: a subtitle or a title."""
    _, rows, columns, _ = frames.shape
    size = max(8, round(height * rows / 0.72))  # capitals take 0.72 of a font's size
    font = ImageFont.load_default(size)
    color = INKS[rng.choice(len(INKS), p=[0.55, 0.2, 0.15, 0.1])]
    outline = (255, 255, 255) if sum(color) < 200 else (0, 0, 0)
    stroke = max(1, size // 12) if rng.random() < 0.7 else 0
    layer = Image.new("RGBA", (columns, rows))
    draw = ImageDraw.Draw(layer)
    room = 0.95 * columns
    while font.getlength(text) > room and len(shorter := text.rpartition(" ")[0]) >= FEWEST:
        text = shorter
    if (long := font.getlength(text) / room) > 1:
        size = max(8, int(size / long))
        font = ImageFont.load_default(size)
    left = (columns - font.getlength(text)) * rng.choice([0.02, 0.5, 0.98], p=[0.2, 0.6, 0.2])
    top = (rows - 1.4 * size) * rng.choice([0.03, 0.5, 0.97], p=[0.15, 0.1, 0.75])
    draw.text((left, top), text, color, font=font, stroke_width=stroke, stroke_fill=outline)
    return _over(frames, layer, 1.0)


def stamp(frames: Frames, rng: np.random.Generator, size: float, opacity: float) -> Frames:
    """A broadcaster's logo of ``size`` (a share of the picture's height) in a corner."""
    _, rows, columns, _ = frames.shape
    side = round(size * rows)
    scale = 4
    layer = Image.new("RGBA", (side * scale, side * scale))
    draw = ImageDraw.Draw(layer)
    end, ink = side * scale - 1, (255, 255, 255, 255)
    kind = rng.integers(4)
    if kind == 0:
        draw.ellipse((0, 0, end, end), outline=ink, width=side * scale // 7)
        draw.rectangle((end // 3, end // 3, 2 * end // 3, 2 * end // 3), ink)
    elif kind == 1:
        draw.polygon([(0, end), (end // 2, 0), (end, end)], ink)
        draw.ellipse((end // 3, end // 2, 2 * end // 3, 5 * end // 6), (210, 40, 40, 255))
    elif kind == 2:
        font = ImageFont.load_default(side * scale)
        draw.text((0, -side * scale // 5), rng.choice(["A1", "TV", "N5", "K2"]), ink, font=font)
    else:
        draw.rounded_rectangle((0, 0, end, end), side, (30, 60, 200, 255))
        left, right = end // 3, 4 * end // 5
        draw.polygon([(left, end // 4), (left, 3 * end // 4), (right, end // 2)], ink)
    mark = layer.resize((side, side), Image.Resampling.LANCZOS)
    whole = Image.new("RGBA", (columns, rows))
    gap = round(0.05 * rows)
    x = gap if rng.random() < 0.4 else columns - side - gap
    y = gap if rng.random() < 0.7 else rows - side - gap
    whole.paste(mark, (x, y))
    return _over(frames, whole, opacity)


def _over(frames: Frames, layer: Image.Image, opacity: float) -> Frames:
    pixels = np.asarray(layer, np.float32)
    alpha = opacity * pixels[..., 3:] / 255
    rows = np.flatnonzero(alpha.max(axis=(1, 2)))
    if not len(rows):
        return frames
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    out = frames.copy()
    below = frames[:, part].astype(np.float32)
    mixed: F32 = below + alpha[part] * (pixels[part, :, :3] - below) + 0.5
    out[:, part] = mixed.astype(np.uint8)
    return out


def _each(frames: Frames, change) -> Frames:  # type: ignore[no-untyped-def]
    return np.stack([change(frame) for frame in frames])


def _center(frame: Frames, width: int, height: int) -> Frames:
    """The middle of ``frame`` with the aspect of ``width`` by ``height``, at that size."""
    rows, columns, _ = frame.shape
    scale = max(width / columns, height / rows)
    across, down = round(width / scale), round(height / scale)
    top, left = (rows - down) // 2, (columns - across) // 2
    part = frame[top : top + down, left : left + across]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
