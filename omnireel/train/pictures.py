"""A validation's comparisons as files that people can open: one contact sheet, one film.

The sheet (PNG) shows moments of every clip under its caption; the film (MP4) plays all of them at
once, each clip under the name of what made it. The film is left out where nothing moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omnireel.media import SheetStyle, contact_sheet, write_mp4, write_png
from omnireel.train.callbacks import Callback, RunInfo, ValidationReport
from omnireel.train.comparison import Comparison
from omnireel.types import Clip, Frames

if TYPE_CHECKING:
    from PIL.Image import Image

_SHEET = SheetStyle(columns=9, cell_height=96, row_gap=14, font_size=15)


@dataclass(frozen=True)
class FilmStyle:
    """Pixels of the film's page."""

    cell_height: int = 128
    gap: int = 16
    margin: int = 20
    font_size: int = 13
    title_size: int = 18
    per_row: int = 2
    """Comparisons beside each other."""
    faint: tuple[int, int, int] = (110, 108, 104)

    @property
    def line(self) -> int:
        """Height of a line of text."""
        return round(1.4 * self.font_size)

    @property
    def title_height(self) -> int:
        """From the top of the page to the first caption."""
        return self.margin + round(1.6 * self.title_size)

    @property
    def block_height(self) -> int:
        """Caption, names, clips and the gap below."""
        return 2 * self.line + self.cell_height + self.gap


def save_comparisons(
    comparisons: Sequence[Comparison], folder: Path, title: str, name: str = "clips"
) -> list[Path]:
    """Write ``<name>.png`` and, unless all are single images, ``<name>.mp4``; nothing for none."""
    if not comparisons:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png"]
    write_png(comparison_sheet(comparisons, title), paths[0])
    clips = [frames for c in comparisons for frames in c.columns.values()]
    if any(len(frames) > 1 for frames in clips):
        paths.append(folder / f"{name}.mp4")
        write_mp4(comparison_film(comparisons, title), paths[1])
    return paths


def comparison_sheet(comparisons: Sequence[Comparison], title: str) -> Frames:
    """Rows of frames ``(1, H, W, 3)``: each caption, and below it a row for each clip."""
    rows: list[tuple[str, Frames]] = []
    for comparison in comparisons:
        caption = comparison.caption
        for name, frames in comparison.columns.items():
            rows.append((f"{caption}\n{name}", frames))
            caption = ""
    return contact_sheet(rows, title=title, style=_SHEET)


def comparison_film(comparisons: Sequence[Comparison], title: str) -> Clip:
    """All comparisons on one page, playing in step; a shorter clip holds its last frame."""
    style = FilmStyle()
    width = max(2 * style.cell_height, *(_width(c, style) for c in comparisons))
    across = min(style.per_row, len(comparisons))
    rows = -(-len(comparisons) // style.per_row)
    page = _page(
        title,
        2 * style.margin + across * (width + style.gap) - style.gap,
        style.margin + style.title_height + rows * style.block_height,
        style,
    )
    places: list[tuple[Frames, tuple[int, int]]] = []
    for number, comparison in enumerate(comparisons):
        row, column = divmod(number, style.per_row)
        x = style.margin + column * (width + style.gap)
        y = style.title_height + row * style.block_height
        places += _place(page, comparison, (x, y), width, style)
    return Clip(_played(page, places, style), fps=comparisons[0].fps)


def _page(title: str, width: int, height: int, style: FilmStyle) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (width, height), _SHEET.background)
    font = ImageFont.load_default(style.title_size)
    ImageDraw.Draw(page).text((style.margin, style.margin // 2), title, _SHEET.ink, font=font)
    return page


def _place(
    page: Image, comparison: Comparison, at: tuple[int, int], width: int, style: FilmStyle
) -> list[tuple[Frames, tuple[int, int]]]:
    """Write caption and names; the clips and where they play."""
    from PIL import ImageDraw, ImageFont

    draw, font = ImageDraw.Draw(page), ImageFont.load_default(style.font_size)
    x, y = at
    caption = comparison.caption
    while font.getlength(caption) > width:
        caption = caption.rstrip("…")[:-1].rstrip() + "…"
    draw.text((x, y), caption, _SHEET.ink, font=font)
    places = []
    for name, frames in comparison.columns.items():
        draw.text((x, y + style.line), name, style.faint, font=font)
        places.append((frames, (x, y + 2 * style.line)))
        x += _scaled_width(frames, style) + style.gap // 2
    return places


def _played(
    page: Image, places: Sequence[tuple[Frames, tuple[int, int]]], style: FilmStyle
) -> Frames:
    from PIL import Image

    pages = []
    for t in range(max(len(frames) for frames, _ in places)):
        for frames, at in places:
            picture = Image.fromarray(frames[min(t, len(frames) - 1)])
            size = (_scaled_width(frames, style), style.cell_height)
            page.paste(picture.resize(size, Image.Resampling.LANCZOS), at)
        pages.append(np.array(page))
    return np.stack(pages)


def _width(comparison: Comparison, style: FilmStyle) -> int:
    widths = [_scaled_width(frames, style) for frames in comparison.columns.values()]
    return sum(widths) + style.gap // 2 * (len(widths) - 1)


def _scaled_width(frames: Frames, style: FilmStyle) -> int:
    _, height, width, _ = frames.shape
    return max(1, round(int(width) * style.cell_height / int(height)))


class ValidationFiles(Callback):
    """Keeps the comparisons of the newest validation in ``<run>/validation/``."""

    def __init__(self, run: Path) -> None:
        self._folder, self._name = run / "validation", ""

    def on_start(self, info: RunInfo) -> None:
        """Note what is trained."""
        self._name = info.name

    def on_validation(self, step: int, report: ValidationReport) -> None:
        """Overwrite the files."""
        save_comparisons(report.comparisons, self._folder, f"{self._name}, step {step}")
