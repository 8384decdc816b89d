"""Which checks there are, in the order in which they are asked and written down.

A new check is a class in a file of this package and a line here.
"""

from __future__ import annotations

from omnireel.data.checks.agreement import all_checks
from omnireel.data.checks.base import Check, Judged
from omnireel.data.checks.blur import Blur
from omnireel.data.checks.camera import Action, Jitter
from omnireel.data.checks.compression import Compression
from omnireel.data.checks.container import Damage, Readable, SaidDuration, Sound
from omnireel.data.checks.copies import ExactDuplicate
from omnireel.data.checks.cut import Cut
from omnireel.data.checks.exposure import Contrast, Overexposed, Underexposed
from omnireel.data.checks.frozen import Frozen
from omnireel.data.checks.letterbox import Letterbox
from omnireel.data.checks.likeness import likeness_checks
from omnireel.data.checks.near_duplicate import NearDuplicate
from omnireel.data.checks.overlay import Logo, OverlayText
from omnireel.data.checks.picture import Aspect, Duration, FrameRate, Resolution
from omnireel.data.checks.unsafe import Unsafe

BASIC: tuple[type[Check], ...] = (
    Readable,
    Damage,
    SaidDuration,
    Sound,
    Resolution,
    Aspect,
    FrameRate,
    Duration,
    Unsafe,
)
"""Tier 1."""
TEMPORAL: tuple[type[Check], ...] = (
    Blur,
    Compression,
    Underexposed,
    Overexposed,
    Contrast,
    Letterbox,
    OverlayText,
    Logo,
    Frozen,
    Cut,
    Jitter,
    Action,
)
"""Tier 2."""
CROSS_MODAL: tuple[type[Check], ...] = (*all_checks(), *likeness_checks())
"""Tier 3; asked only about what passed tiers 1 and 2 and is no duplicate."""

CHECKS: tuple[type[Check], ...] = (*BASIC, *TEMPORAL, *CROSS_MODAL)

DUPLICATES: tuple[type[Judged], ...] = (ExactDuplicate, NearDuplicate)
"""Checks of a candidate against the others; asked after tier 2."""

ALL: tuple[type[Judged], ...] = (*BASIC, *TEMPORAL, *DUPLICATES, *CROSS_MODAL)
