"""The fixed prompts and their facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

PROMPTS = Path(__file__).with_name("prompts.jsonl")
FIRST_SEED = 3_000_000_000
"""Of the noise; each prompt has its own."""
Split = Literal["known", "held_out"]
SPLITS: tuple[Split, ...] = get_args(Split)
GROUPS = ("kind", "color", "motion", "place", "weather", "style", "camera")


@dataclass(frozen=True)
class FreePrompt:
    """A prompt, what of it the world can show (values by group), and words for what it cannot."""

    number: int
    split: Split
    text: str
    facts: Mapping[str, tuple[str, ...]]
    unknown: tuple[str, ...]

    @property
    def id(self) -> str:
        """Name of its record."""
        return f"{self.split}-{self.number:03d}"

    @property
    def seed(self) -> int:
        """Of the noise."""
        return FIRST_SEED + self.number


@cache
def read_prompts() -> tuple[FreePrompt, ...]:
    """All prompts, in the order of the file."""
    rows = map(json.loads, PROMPTS.read_text(encoding="utf-8").splitlines())
    return tuple(
        FreePrompt(
            number,
            row["split"],
            row["text"],
            {group: tuple(values) for group, values in row["facts"].items()},
            tuple(row["unknown"]),
        )
        for number, row in enumerate(rows)
    )
