"""Whether every change of a request with several of them came true."""

from __future__ import annotations

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle, share
from omnireel.evaluate.oracles.candidates import effect_seen
from omnireel.world.scene import PLACES, STYLES, WEATHERS


def _changes(case: Judgement) -> float | None:
    """Share of the facts in which source and target differ that the result shows."""
    before, after, seen = case.asked.source_scene, case.asked.scene, case.seen
    if before is None:
        return None
    found: list[bool] = []
    if before.place != after.place:
        found.append(PLACES[int(seen.place_P.argmax())] == after.place)
    if before.weather != after.weather:
        found.append(WEATHERS[int(seen.weather_W.argmax())] == after.weather)
    if before.style != after.style:
        found.append(STYLES[int(seen.style_S.argmax())] == after.style)
    if before.effect != after.effect:
        found.append(effect_seen(case) == after.effect)
    if len(before.bodies) != len(after.bodies):
        found.append(len(seen.subjects) == len(after.bodies))
    old = {body.id: body for body in before.bodies}
    for body, subject in case.pairs:
        was = old.get(body.id)
        if was is None or was.material.color != body.material.color:
            found.append(subject is not None and subject.color == body.material.color)
        if was is None or was.kind != body.kind:
            found.append(subject is not None and subject.kind == body.kind)
    return share(found)


CHANGES = Oracle("changes", "share of the asked changes that came true", _changes)
