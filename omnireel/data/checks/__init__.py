"""Checks of what may become training data, in three tiers, and the policies that set thresholds.

Read in this order: `base` (a check, its bounds, a verdict), `registry` (which there are), `policy`
(what a user asks of them). What a check is shown is a `omnireel.data.candidate.Candidate`.
"""

from omnireel.data.checks.base import (
    Bounds,
    Check,
    Judged,
    Measurement,
    Models,
    NearDuplicates,
    Outcome,
    Pair,
    Tier,
    Verdict,
    judge,
)
from omnireel.data.checks.policy import Policy, load_policy
from omnireel.data.checks.registry import ALL, CHECKS

__all__ = [
    "ALL",
    "CHECKS",
    "Bounds",
    "Check",
    "Judged",
    "Measurement",
    "Models",
    "NearDuplicates",
    "Outcome",
    "Pair",
    "Policy",
    "Tier",
    "Verdict",
    "judge",
    "load_policy",
]
