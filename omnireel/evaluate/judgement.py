"""One result held against one set of asked facts: what every oracle is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations

import numpy as np

from omnireel.evaluate.perception import Observation, Perception, Subject, observe
from omnireel.evaluate.perception.reader import KIND_CLASSES
from omnireel.types import Clip
from omnireel.world.scene import COLORS, Body
from omnireel.world.tasks import TaskSample
from omnireel.world.truth import Truth, render_truth

MOST_SUBJECTS = 4
"""Subjects beyond the largest few are not matched to bodies."""


@dataclass(eq=False)
class Viewer:
    """Looks at each clip once."""

    eyes: Perception
    _seen: dict[int, tuple[Clip, Observation]] = field(default_factory=dict)

    def look(self, clip: Clip) -> Observation:
        """What ``clip`` shows."""
        found = self._seen.get(id(clip))
        if found is None:
            # The clip is kept with its observation, so that its id is not given to another.
            found = self._seen[id(clip)] = (clip, observe(clip.frames_THWC, self.eyes))
        return found[1]


@dataclass(frozen=True, eq=False)
class Judgement:
    """``result`` is judged by the facts and conditions of ``asked``.

    With another case's ``asked`` this is the shuffled control; with ``asked.target`` as the
    result, the oracle's own accuracy.
    """

    result: Clip
    asked: TaskSample
    viewer: Viewer

    @property
    def seen(self) -> Observation:
        """What the result shows."""
        return self.viewer.look(self.result)

    @cached_property
    def truth(self) -> Truth:
        """Masks and tracks of the asked scene, in the format of the exact answer."""
        return render_truth(self.asked.scene, self.asked.target.format)

    @cached_property
    def pairs(self) -> tuple[tuple[Body, Subject | None], ...]:
        """Every asked body with the subject that fits its colour and kind best, if one is left."""
        bodies = self.asked.scene.bodies
        subjects: list[Subject | None] = list(self.seen.subjects[:MOST_SUBJECTS])
        subjects += [None] * (len(bodies) - len(subjects))
        best = max(
            permutations(subjects, len(bodies)),
            key=lambda chosen: sum(_fit(b, s) for b, s in zip(bodies, chosen, strict=True)),
        )
        return tuple(zip(bodies, best, strict=True))


def _fit(body: Body, subject: Subject | None) -> float:
    if subject is None:
        return -20.0
    color = subject.color_C[COLORS.index(body.material.color)]
    kind = subject.kind_K[KIND_CLASSES.index(body.kind)]
    return float(np.log(color + 1e-3) + np.log(kind + 1e-3))
