"""Who writes captions: a vision-language model, or a scene graph."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from omnireel.data.captioning.levels import RULES, SYSTEM
from omnireel.enhancer.instructions import Shown
from omnireel.errors import FailedPrecondition, InvalidInput, ResourceExhausted, Unavailable
from omnireel.types import Frames
from omnireel.world.captions import caption
from omnireel.world.scene import Body, Camera, Clock, Level, Material, Motion, Scene

FRAMES = 4
_TRIES = 5


class Captioner(Protocol):
    """Writes one caption."""

    name: str
    """For the record."""

    def write(self, path: Path, frames_THWC: Frames, level: Level) -> str:
        """A caption of ``level`` for the clip or image at ``path``.

        Raises:
            Unavailable, ResourceExhausted: a remote model does not answer; try again later.

        """


class Answers(Protocol):
    """A model that answers a message of texts and pictures (`omnireel.enhancer` has two)."""

    def ask(self, system: str, shown: Iterator[Shown]) -> str:
        """The answer's text."""


class ModelCaptioner:
    """A vision-language model; at most ``per_minute`` questions a minute, and patient with one
    that is busy."""

    def __init__(
        self,
        model: Answers,
        name: str,
        per_minute: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if per_minute < 0:
            raise InvalidInput("per_minute must be 0 (no limit) or more", field="per_minute")
        self.name = name
        self._model, self._sleep, self._now = model, sleep, now
        self._gap_s = 60.0 / per_minute if per_minute else 0.0
        self._next_s = 0.0

    def write(self, path: Path, frames_THWC: Frames, level: Level) -> str:
        """Ask; after a passing trouble wait and ask again."""
        for attempt in range(_TRIES):
            self._wait()
            try:
                return self._model.ask(SYSTEM, _message(frames_THWC, level)).strip()
            except ResourceExhausted as error:
                if attempt == _TRIES - 1:
                    raise
                self._sleep(getattr(error, "retry_after_s", None) or 2.0**attempt)
            except Unavailable:
                if attempt == _TRIES - 1:
                    raise
                self._sleep(2.0**attempt)
        raise AssertionError("the last try returns or raises")

    def _wait(self) -> None:
        now = self._now()
        if now < self._next_s:
            self._sleep(self._next_s - now)
        self._next_s = max(now, self._next_s) + self._gap_s


class SceneGraphCaptioner:
    """Reads the scene from the lineage beside a clip (``clip.lineage.json``, as `omnireel data
    synthesise` writes it for the world)."""

    name = "scene-graph"

    def write(self, path: Path, frames_THWC: Frames, level: Level) -> str:
        """The world's own words, in their canonical form."""
        return caption(scene_beside(path), level, None)


def scene_beside(path: Path) -> Scene:
    """The scene of a clip.

    Raises:
        FailedPrecondition: there is none.

    """
    beside = path.with_suffix(".lineage.json")
    try:
        data = json.loads(beside.read_text(encoding="utf-8"))["scene"]
        bodies = tuple(
            Body(**{
                **body,
                "material": Material(**body["material"]),
                "motion": Motion(**body["motion"]),
                "position": tuple(body["position"]),
                "wears": tuple((prop, color) for prop, color in body["wears"]),
            })
            for body in data["bodies"]
        )  # fmt: skip
        camera = Camera(**{**data["camera"], "target": tuple(data["camera"]["target"])})
        parts = {"bodies": bodies, "camera": camera, "clock": Clock(**data["clock"])}
        return Scene(**{**data, **parts})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FailedPrecondition(
            f"{path.name} has no scene graph in {beside.name}; choose a model with --captioner"
        ) from error


def _message(frames_THWC: Frames, level: Level) -> Iterator[Shown]:
    at = np.linspace(0, len(frames_THWC) - 1, min(FRAMES, len(frames_THWC))).round().astype(int)
    for t in at:
        yield Shown(frame_HWC=frames_THWC[t])
    yield Shown(text=RULES[level].ask)
