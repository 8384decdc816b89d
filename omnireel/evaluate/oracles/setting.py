"""Whether place, weather and style are as asked, where they were."""

from __future__ import annotations

from omnireel.evaluate.judgement import Judgement
from omnireel.evaluate.oracles.base import Oracle
from omnireel.world.scene import PLACES, STYLES, WEATHERS


def _place(case: Judgement) -> float | None:
    if "place" in case.asked.left_open or case.asked.cuts:
        return None
    return float(PLACES[int(case.seen.place_P.argmax())] == case.asked.scene.place)


def _weather(case: Judgement) -> float | None:
    if "weather" in case.asked.left_open:
        return None
    return float(WEATHERS[int(case.seen.weather_W.argmax())] == case.asked.scene.weather)


def _style(case: Judgement) -> float | None:
    return float(STYLES[int(case.seen.style_S.argmax())] == case.asked.scene.style)


PLACE = Oracle("place", "the asked place", _place)
WEATHER = Oracle("weather", "the asked weather", _weather)
STYLE = Oracle("style", "the asked style", _style)
