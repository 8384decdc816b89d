"""One set of drawing calls, two results: SVG text and a Pillow image."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Literal, Protocol

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]
_FONT = "Helvetica Neue, Helvetica, Arial, sans-serif"
_PILLOW_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


class Canvas(Protocol):
    """Pixels from the upper left; colours as "#rrggbb"; a text's y is its base line."""

    def box(
        self, corner: Point, size: Point, *, radius: float, fill: str, line: str, width: float = 1
    ) -> None:
        """A rounded rectangle."""

    def text(
        self, at: Point, words: str, *, size: float, ink: str, bold: bool = False,
        anchor: Anchor = "start",
    ) -> None:  # fmt: skip
        """One line of text."""

    def path(self, points: Sequence[Point], *, line: str, width: float, dashed: bool) -> None:
        """A line that runs level through its points and bends smoothly between them."""

    def shape(self, points: Sequence[Point], *, fill: str) -> None:
        """A filled polygon."""

    def open_group(self, hint: str) -> None:
        """What follows belongs together; ``hint`` is shown to who points at it, if it can be."""

    def close_group(self) -> None:
        """End of the group."""


def text_width(words: str, size: float) -> float:
    """Pixels that a line takes, near enough for every sans-serif font."""
    return float(ImageFont.load_default(size).getlength(words))


class SvgCanvas:
    """Collects SVG elements."""

    def __init__(self, width: float, height: float, background: str, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{_FONT}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="100%" height="100%" fill="{background}"/>',
        ]

    def box(
        self, corner: Point, size: Point, *, radius: float, fill: str, line: str, width: float = 1
    ) -> None:
        """A rounded rectangle."""
        self._parts.append(
            f'<rect x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{size[0]:.1f}" '
            f'height="{size[1]:.1f}" rx="{radius:g}" fill="{fill}" stroke="{line}" '
            f'stroke-width="{width:g}"/>'
        )

    def text(
        self, at: Point, words: str, *, size: float, ink: str, bold: bool = False,
        anchor: Anchor = "start",
    ) -> None:  # fmt: skip
        """One line of text."""
        weight = ' font-weight="700"' if bold else ""
        self._parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" font-size="{size:g}" fill="{ink}"{weight} '
            f'text-anchor="{anchor}">{escape(words)}</text>'
        )

    def path(self, points: Sequence[Point], *, line: str, width: float, dashed: bool) -> None:
        """A smooth line."""
        data = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for start, end in pairwise(points):
            middle = (start[0] + end[0]) / 2
            data += (
                f" C{middle:.1f} {start[1]:.1f} {middle:.1f} {end[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
            )
        dash = ' stroke-dasharray="5 5"' if dashed else ""
        self._parts.append(
            f'<path d="{data}" fill="none" stroke="{line}" stroke-width="{width:g}"{dash}/>'
        )

    def shape(self, points: Sequence[Point], *, fill: str) -> None:
        """A filled polygon."""
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polygon points="{corners}" fill="{fill}"/>')

    def open_group(self, hint: str) -> None:
        """A group with a tooltip."""
        self._parts.append(f"<g><title>{escape(hint)}</title>")

    def close_group(self) -> None:
        """End of the group."""
        self._parts.append("</g>")

    def finish(self) -> str:
        """The whole document."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"


class PillowCanvas:
    """Draws at ``scale * oversample`` and shrinks, because Pillow's shapes are not antialiased."""

    def __init__(
        self, width: float, height: float, background: str, *, scale: int = 2, oversample: int = 2
    ) -> None:
        self._k = scale * oversample
        self._size = (round(width * scale), round(height * scale))
        shape = (self._size[0] * oversample, self._size[1] * oversample)
        self._image = Image.new("RGB", shape, background)
        self._draw = ImageDraw.Draw(self._image)

    def box(
        self, corner: Point, size: Point, *, radius: float, fill: str, line: str, width: float = 1
    ) -> None:
        """A rounded rectangle."""
        (x, y), (w, h), k = corner, size, self._k
        ends = (x * k, y * k, (x + w) * k, (y + h) * k)
        self._draw.rounded_rectangle(ends, radius * k, fill, line, round(width * k))

    def text(
        self, at: Point, words: str, *, size: float, ink: str, bold: bool = False,
        anchor: Anchor = "start",
    ) -> None:  # fmt: skip
        """One line of text."""
        font = ImageFont.load_default(size * self._k)
        self._draw.text(
            (at[0] * self._k, at[1] * self._k),
            words,
            ink,
            font=font,
            anchor=_PILLOW_ANCHORS[anchor],
            stroke_width=size * self._k / 36 if bold else 0,
        )

    def path(self, points: Sequence[Point], *, line: str, width: float, dashed: bool) -> None:
        """A smooth line."""
        for start, end in pairwise(points):
            curve = [_bezier(start, end, i / 48, self._k) for i in range(49)]
            # Dashes: every second of twenty-four pieces.
            pieces = [curve[i : i + 3] for i in range(0, 48, 4)] if dashed else [curve]
            for piece in pieces:
                self._draw.line(piece, line, round(width * self._k), joint="curve")

    def shape(self, points: Sequence[Point], *, fill: str) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * self._k, y * self._k) for x, y in points], fill)

    def open_group(self, hint: str) -> None:
        """Nothing: a picture has no hints."""

    def close_group(self) -> None:
        """Nothing."""

    def finish(self) -> Image.Image:
        """The picture."""
        return self._image.resize(self._size, Image.Resampling.LANCZOS)


def _bezier(start: Point, end: Point, t: float, k: float) -> Point:
    """A cubic curve that leaves and arrives level, as the SVG path does."""
    middle = (start[0] + end[0]) / 2
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    x = a * start[0] + (b + c) * middle + d * end[0]
    y = (a + b) * start[1] + (c + d) * end[1]
    return x * k, y * k
