"""Whether the asked subjects are there: how many, of which colour, of which kind."""

from __future__ import annotations

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle, share


def _color(case: Judgement) -> float | None:
    return share([s is not None and s.color == b.material.color for b, s in case.pairs])


def _kind(case: Judgement) -> float | None:
    return share([s is not None and s.kind == b.kind for b, s in case.pairs])


def _count(case: Judgement) -> float | None:
    return float(len(case.seen.subjects) == len(case.asked.scene.bodies))


COLOR = Oracle("color", "share of asked subjects in the asked colour", _color)
KIND = Oracle("kind", "share of asked subjects of the asked kind", _kind)
COUNT = Oracle("count", "as many subjects as asked", _count)
