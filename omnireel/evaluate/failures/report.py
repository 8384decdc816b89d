"""Failures as a picture, and as a part of a component's card."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from omnireel.files import atomic_write
from omnireel.media import SheetStyle, contact_sheet
from omnireel.media.sheet import Row
from omnireel.registry import verify
from omnireel.registry.card import write_card
from omnireel.types import Frames

FILE = "failures.png"
_STYLE = SheetStyle(
    columns=12, cell_height=72, margin=12, gap=3, row_gap=14, corner=3, font_size=12, min_width=480
)
_COLORS = 128
"""Of the picture's palette: small files, and nobody sees a difference at this size."""


@dataclass(frozen=True, eq=False)
class Failures:
    """The worst of so many cases."""

    summary: str
    """What was looked at, and what each row shows."""
    rows: Sequence[Row] = ()
    table: Sequence[Sequence[str]] = ()
    """Its head, and a line for each case."""


def side_by_side(*groups: Sequence[Frames] | Frames) -> list[Frames]:
    """The frames of each group, with a little room between the groups."""
    shown: list[Frames] = []
    for group in groups:
        if shown:
            height = shown[-1].shape[0]
            shown.append(np.full((height, height // 8, 3), _STYLE.background, np.uint8))
        shown += list(group)
    return shown


def failures_png(failures: Failures) -> bytes:
    """The rows as a small PNG."""
    sheet = Image.fromarray(contact_sheet(failures.rows, style=_STYLE)[0])
    out = io.BytesIO()
    sheet.quantize(_COLORS).save(out, "png", optimize=True)
    return out.getvalue()


def record_failures(component: Path, failures: Failures, command: str) -> Path:
    """Put failures into a component's card, and their picture beside it; returns the card.

    Raises:
        NotFound, IntegrityError: see :func:`omnireel.registry.verify`.

    """
    card = verify(component)
    found: dict[str, Any] = {"summary": failures.summary, "command": command}
    if failures.rows:
        atomic_write(component / FILE, failures_png(failures))
        found["picture"] = FILE
    if failures.table:
        found["table"] = [list(line) for line in failures.table]
    card["failures"] = found
    return write_card(component, card)
