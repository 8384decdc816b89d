"""The same bytes again."""

from __future__ import annotations

from omnireel.data.checks.base import Bounds, Judged, Tier


class ExactDuplicate(Judged):
    """A file with the same content as another one that stays; found before anything is decoded."""

    name, tier, version = "exact_duplicate", Tier.BASIC, 1
    unit = "1: a copy of another file, 0: not"
    scale = Bounds(0, 1)
    standard = Bounds(high=0)
