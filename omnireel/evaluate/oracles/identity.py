"""Whether it is the same subject as in the reference pictures.

Geometric mean of two overlaps (Bhattacharyya coefficients, 0..1): of the colours of the subject's
pixels, and of what its silhouette and look may be (probability by kind). Clips and pictures are
both only looked at; no facts of the scene enter.
"""

from __future__ import annotations

import numpy as np

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle
from omnireel.evaluate.perception import Observation, Subject
from omnireel.evaluate.perception.reader import F32
from omnireel.types import Role

BINS = 6
"""Bins per axis of red-green and yellow-blue; 4 more of brightness."""
BRIGHTNESS_BINS = 4


def _identity(case: Judgement) -> float | None:
    scores = []
    for name in _references(case):
        pictures = [case.viewer.look(clip) for clip in case.asked.media[name]]
        shown = [(p, p.subjects[0]) for p in pictures if p.subjects]
        if not shown:
            continue  # a picture of a place
        scores.append(
            max(
                (
                    float(np.mean([alike(case.seen, s, p, ref) for p, ref in shown]))
                    for s in case.seen.subjects
                ),
                default=0.0,
            )
        )
    return float(np.mean(scores)) if scores else None


def _cast(case: Judgement) -> float | None:
    scores = []
    for declared in case.asked.prompt.inputs:
        if declared.role not in (Role.FIRST_FRAME, Role.LAST_FRAME):
            continue
        picture = case.viewer.look(case.asked.media[declared.name][0])
        scores += [
            max((alike(case.seen, s, picture, given) for s in case.seen.subjects), default=0.0)
            for given in picture.subjects
        ]
    return float(np.mean(scores)) if scores else None


def _references(case: Judgement) -> list[str]:
    prompt = case.asked.prompt
    images = [i.name for i in prompt.inputs if i.role is Role.REFERENCE]
    return images + [e.name for e in prompt.elements]


def alike(a: Observation, subject_a: Subject, b: Observation, subject_b: Subject) -> float:
    """Likeness of two observed subjects, 0..1."""
    colors = _overlap(_colors(a, subject_a), _colors(b, subject_b))
    kinds = _overlap(subject_a.kind_K, subject_b.kind_K)
    return float(np.sqrt(colors * kinds))


def _overlap(p: F32, q: F32) -> float:
    return float(np.sqrt(p * q).sum())


def _colors(seen: Observation, subject: Subject) -> F32:
    """Histogram of the subject's pixels over opponent colours and brightness."""
    t, h, w = subject.mask_Thw.shape
    blocks = seen.frames_THWC.reshape(t, h, -1, w, seen.frames_THWC.shape[2] // w, 3)
    rgb = blocks.mean((2, 4))[subject.mask_Thw > 0.5] / 255.0
    r, g, b = rgb.T
    axes = np.stack([(r - g + 1) / 2, ((r + g) / 2 - b + 1) / 2, (r + g + b) / 3], -1)
    edges = (
        np.linspace(0.15, 0.85, BINS + 1),
        np.linspace(0.15, 0.85, BINS + 1),
        np.linspace(0, 1, BRIGHTNESS_BINS + 1),
    )
    low = [e[0] for e in edges]
    high = [e[-1] - 1e-6 for e in edges]
    counts, _ = np.histogramdd(np.clip(axes, low, high), bins=edges)
    smooth = counts.reshape(-1) + 0.01
    out: F32 = (smooth / smooth.sum()).astype(np.float32)
    return out


IDENTITY = Oracle("identity", "likeness of the subject to its reference pictures", _identity)
CAST = Oracle("cast", "likeness of the subjects to those in the given frames", _cast)
