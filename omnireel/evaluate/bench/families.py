"""Which oracle counts in which family, and how answers become one score.

A row's score is the mean of its families, a family's the mean of its oracles. Decibels count from
``FLOOR_DB`` (nothing alike) to ``FULL_DB`` (nobody sees a difference). What asks for one exact
picture where several would be right (where an added subject stands, say), and what the decoder puts
there itself (a given first frame), is measured and shown, but does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles import Oracle, oracles_of
from omnireel.types import Frames

Family = Literal["dynamics", "prompt", "identity", "consistency"]
FAMILIES: tuple[Family, ...] = get_args(Family)
FAMILY_NAMES: dict[Family, str] = {
    "dynamics": "dynamic quality",
    "prompt": "prompt following",
    "identity": "identity consistency",
    "consistency": "video consistency outside the edit",
}

FLOOR_DB, FULL_DB = 10.0, 40.0
STILL = 0.5
"""Mean change from frame to frame (levels) that counts as none."""

_FAMILY_OF: dict[str, Family] = {
    "motion": "dynamics", "motion_path": "dynamics", "path": "dynamics", "camera": "dynamics",
    "camera_path": "dynamics", "liveliness": "dynamics",
    "identity": "identity", "cast": "identity",
    "kept": "consistency", "joint": "consistency", "edit": "consistency", "target": "consistency",
}  # fmt: skip
"""All other oracles belong to prompt following."""

_PASTED = frozenset({"first_frame", "last_frame"})
"""The decoder shows a given frame itself, so likeness to it says nothing of a model."""

_ONE_ANSWER = frozenset({"C5", "C7", "C10", "C15", "C18", "C19", "C22", "C24"})
"""Rows in which what is given leaves one picture: there ``edit`` and ``target`` count."""


def _liveliness(case: Judgement) -> float | None:
    if "camera" in case.asked.left_open:
        return None
    own, exact = (_change(f) + STILL for f in (case.result.frames_THWC,
                                              case.asked.target.frames_THWC))  # fmt: skip
    return min(own, exact) / max(own, exact)


def _change(frames_THWC: Frames) -> float:
    if len(frames_THWC) < 2:
        return 0.0
    return float(np.abs(np.diff(frames_THWC.astype(np.float32), axis=0)).mean())


LIVELINESS = Oracle(
    "liveliness", "frames change as much from one to the next as in the exact answer", _liveliness
)


def bench_oracles(capability: str) -> tuple[Oracle, ...]:
    """The oracles of a row, headline first."""
    return (*oracles_of(capability), LIVELINESS)


def family_of(capability: str, oracle: str) -> Family | None:
    """Where an oracle counts; None: it is only shown."""
    if oracle in ("edit", "target") and capability not in _ONE_ANSWER:
        return None
    if oracle in _PASTED:
        return None
    return _FAMILY_OF.get(oracle, "prompt")


def share(oracle: Oracle, value: float) -> float:
    """An answer on the scale 0..1 (agreements below nothing count as nothing)."""
    if oracle.unit == "dB":
        value = (value - FLOOR_DB) / (FULL_DB - FLOOR_DB)
    return min(max(value, 0.0), 1.0)


def family_scores(capability: str, answers: Mapping[str, float | None]) -> dict[Family, float]:
    """The families that a case's answers speak about, 0..1."""
    found: dict[Family, list[float]] = {}
    for oracle in bench_oracles(capability):
        family, value = family_of(capability, oracle.name), answers.get(oracle.name)
        if family is not None and value is not None:
            found.setdefault(family, []).append(share(oracle, value))
    return {f: float(np.mean(found[f])) for f in FAMILIES if f in found}


def case_score(capability: str, answers: Mapping[str, float | None]) -> float:
    """One number for a case, 0..1."""
    return float(np.mean(list(family_scores(capability, answers).values())))
