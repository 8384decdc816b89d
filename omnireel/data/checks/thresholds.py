"""The thresholds of the policy ``standard``: data that ``omnireel data bench --choose`` writes."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

from omnireel.data.checks.base import Bounds

PATH = Path(__file__).with_name("standard.json")


def standard(name: str) -> Bounds:
    """The range of scores that the policy ``standard`` keeps of one check."""
    given = _table()[name]
    return Bounds(given.get("low", -math.inf), given.get("high", math.inf))


@cache
def _table() -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = json.loads(PATH.read_text(encoding="utf-8"))
    return table
