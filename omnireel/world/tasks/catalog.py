"""Which capabilities there are, and sampling one of them.

Every module in ``groups`` has a table ``BUILDERS`` (capability -> function that draws a plan); a
new capability is a new entry or a new file there, and nothing else changes.
"""

from __future__ import annotations

import importlib
import pkgutil
import zlib
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.types import VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split, split_of
from omnireel.world.tasks import groups
from omnireel.world.tasks.plan import Builder, Draw, Plan
from omnireel.world.tasks.realise import realise
from omnireel.world.tasks.sample import TaskSample

MAX_DRAWS = 2000
"""About one plan in ten fits the held-out split; so many misses in a row mean a wrong builder."""


def _collect() -> Mapping[str, Builder]:
    table: dict[str, Builder] = {}
    for module in pkgutil.iter_modules(groups.__path__, groups.__name__ + "."):
        builders: Mapping[str, Builder] = importlib.import_module(module.name).BUILDERS
        if twice := table.keys() & builders.keys():
            raise RuntimeError(f"{module.name} repeats the capabilities {sorted(twice)}")
        table.update(builders)
    return MappingProxyType(dict(sorted(table.items(), key=lambda item: int(item[0][1:]))))


BUILDERS = _collect()

CAPABILITIES: tuple[str, ...] = tuple(BUILDERS)
"""Implemented rows of the capability table, in its order."""


def draw_plan(
    capability: str,
    seed: int,
    duration_s: float,
    split: Split,
    scenes: SceneDistribution | None = None,
) -> Plan:
    """The plan behind a sample, without rendering; arguments as in :func:`sample_task`.

    In the "train" split no scene of the plan, conditions included, holds a held-out combination;
    in "held_out" the target does.
    """
    if capability not in BUILDERS:
        raise InvalidInput(
            f"unknown capability {capability!r}; use one of {', '.join(CAPABILITIES)}",
            field="capability",
        )
    if split not in ("train", "held_out"):
        raise InvalidInput(f"unknown split {split!r}; use train or held_out", field="split")
    key = zlib.crc32(f"{capability}|{split}".encode())
    draw = Draw(
        np.random.default_rng((key, seed)), split, duration_s, scenes or SceneDistribution()
    )
    for _ in range(MAX_DRAWS):
        plan = BUILDERS[capability](draw)
        if split_of(plan.scene) != split:
            continue
        if split == "held_out" or all(split_of(s) == "train" for s in plan.given_scenes()):
            return plan
    raise RuntimeError(f"{capability} drew no plan of split {split!r} in {MAX_DRAWS} draws")


def sample_task(
    capability: str,
    seed: int,
    fmt: VideoFormat,
    *,
    split: Split = "train",
    scenes: SceneDistribution | None = None,
    with_mask: bool = True,
) -> TaskSample:
    """One sample of ``capability``; equal arguments give equal samples, to the last byte.

    Args:
        capability: a row of the capability table, one of ``CAPABILITIES``.
        seed: any integer >= 0.
        fmt: format of the target and of given videos; given images are square with its short side
            (first and last frames have its size).
        split: "train" never shows a held-out combination, "held_out" always does in the target.
        scenes: how likely each kind of scene is, where the capability does not need its own kind.
        with_mask: render where an edit changes pixels, too.

    Raises:
        InvalidInput: for an unknown capability or split, a negative seed, or an impossible format.

    """
    if seed < 0:
        raise InvalidInput(f"seed must be at least 0, not {seed}", field="seed")
    plan = draw_plan(capability, seed, fmt.duration_s, split, scenes)
    return realise(plan, capability, seed, fmt, with_mask=with_mask)
