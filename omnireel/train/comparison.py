"""Clips side by side: what validation shows of a model, beside the truth and beside others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from omnireel.types import Frames


@dataclass(frozen=True, eq=False)
class Comparison:
    """Clips ``frames_THWC`` that belong together, by what made them: ``truth``, ``this run``, ...

    ``caption`` says what was asked for. Clips may differ in size and length.
    """

    caption: str
    columns: Mapping[str, Frames]
    fps: float = 8.0
