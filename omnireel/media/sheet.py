"""Contact sheets: rows of labelled frames on one picture, to look at results side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from omnireel.errors import InvalidInput
from omnireel.types import Frames

Row = tuple[str, Frames | Sequence[Frames]]
"""A label and frames ``(T, H, W, 3)``, one image ``(H, W, 3)``, or several images of any sizes."""


@dataclass(frozen=True)
class SheetStyle:
    """Pixels and colours. ``columns``: the most frames shown of one row, evenly spread in time."""

    columns: int = 8
    cell_height: int = 128
    margin: int = 24
    gap: int = 8
    row_gap: int = 20
    corner: int = 6
    font_size: int = 16
    title_size: int = 24
    min_width: int = 640
    background: tuple[int, int, int] = (250, 249, 246)
    ink: tuple[int, int, int] = (38, 38, 44)
    faint: tuple[int, int, int] = (226, 223, 216)


def contact_sheet(
    rows: Sequence[Row], *, title: str = "", style: SheetStyle | None = None
) -> Frames:
    """Draw the rows below each other, each under its label; long labels are wrapped.

    A label's first line is drawn dark, the lines after a newline lighter. Returns one frame
    ``(1, H, W, 3)``.

    Raises:
        InvalidInput: no rows, or a row without pictures.
    """
    style = style or SheetStyle()
    if not rows:
        raise InvalidInput("a contact sheet needs at least one row", field="rows")
    pictures = [_cells(label, frames, style) for label, frames in rows]
    inner = max(style.min_width, *(_row_width(cells, style) for cells in pictures))
    font = ImageFont.load_default(style.font_size)
    blocks = [_paragraphs(label, font, inner) for label, _ in rows]
    title_font = ImageFont.load_default(style.title_size)
    title_lines = _wrap(title, title_font, inner) if title else []
    line, title_line = round(style.font_size * 1.35), round(style.title_size * 1.3)

    height = 2 * style.margin + len(title_lines) * title_line
    height += style.row_gap * (len(rows) - 1 + bool(title_lines))
    height += sum(len(b) * line + (style.gap if b else 0) for b in blocks)
    height += style.cell_height * len(rows)
    sheet = Image.new("RGB", (inner + 2 * style.margin, height), style.background)
    draw = ImageDraw.Draw(sheet)
    y = style.margin
    for text in title_lines:
        draw.text((style.margin, y), text, style.ink, font=title_font)
        y += title_line
    y += style.row_gap if title_lines else 0
    for i, (block, cells) in enumerate(zip(blocks, pictures, strict=True)):
        if i:
            rule = y - style.row_gap // 2
            draw.line([(style.margin, rule), (style.margin + inner, rule)], style.faint)
        for text, strong in block:
            draw.text((style.margin, y), text, _shade(style, strong), font=font)
            y += line
        y += style.gap if block else 0
        _draw_cells(sheet, cells, y, style)
        y += style.cell_height + style.row_gap
    return np.array(sheet)[None]


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` indices of ``count``, evenly spaced, the first and the last included."""
    return [int(i) for i in np.linspace(0, count - 1, min(count, most)).round()]


def _cells(label: str, frames: Frames | Sequence[Frames], style: SheetStyle) -> list[Image.Image]:
    if isinstance(frames, np.ndarray) and frames.ndim == 3:
        frames = [frames]
    if not len(frames):
        raise InvalidInput(f"the row {label!r} has no pictures", field="rows")
    images = [Image.fromarray(frames[i]) for i in spread(len(frames), style.columns)]
    return [
        image.resize(
            (max(1, round(image.width * style.cell_height / image.height)), style.cell_height),
            Image.Resampling.LANCZOS,
        )
        for image in images
    ]


def _row_width(cells: Sequence[Image.Image], style: SheetStyle) -> int:
    return sum(cell.width for cell in cells) + style.gap * (len(cells) - 1)


def _draw_cells(
    sheet: Image.Image, cells: Sequence[Image.Image], y: int, style: SheetStyle
) -> None:
    x = style.margin
    for cell in cells:
        # Drawn at four times the size, because Pillow's shapes are not antialiased.
        mask = Image.new("L", (cell.width * 4, cell.height * 4))
        ImageDraw.Draw(mask).rounded_rectangle(
            (0, 0, mask.width - 1, mask.height - 1), style.corner * 4, fill=255
        )
        sheet.paste(cell, (x, y), mask.resize(cell.size, Image.Resampling.LANCZOS))
        x += cell.width + style.gap


def _shade(style: SheetStyle, strong: bool) -> tuple[int, int, int]:
    if strong:
        return style.ink
    r, g, b = ((2 * i + p) // 3 for i, p in zip(style.ink, style.background, strict=True))
    return r, g, b


def _paragraphs(
    label: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int
) -> list[tuple[str, bool]]:
    return [
        (line, i == 0)
        for i, paragraph in enumerate(label.split("\n"))
        if paragraph.strip()
        for line in _wrap(paragraph, font, width)
    ]


def _wrap(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines of at most ``width`` pixels; a word longer than that is broken."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        candidate = f"{current} {word}" if current else word
        if font.getlength(candidate) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        while font.getlength(word) > width:
            keep = next(n for n in range(len(word), 0, -1) if font.getlength(word[:n]) <= width)
            lines.append(word[:keep])
            word = word[keep:]
        current = word
    return [*lines, current] if current else lines
