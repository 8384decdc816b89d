"""``curate``: raw media to training shards, measured in parts side by side.

Tiers 1 and 2 look at one file at a time, so parts of the files are measured by steps of their own.
What compares samples with each other, the third tier, the ledger and the shards are one step, which
gathers what the parts found out. Every step goes on where it was.

(kfp reads the annotations of workflows, so they are not postponed here.)
"""

from dataclasses import dataclass
from typing import Any

from kfp import dsl

from omnireel.errors import InvalidInput
from pipelines.components.verbs import VERBS
from pipelines.workflows.place import Place


@dataclass(frozen=True)
class Curate:
    """How wide. ``policy`` is a name or a file on the volume (``omnireel data curate``)."""

    parts: int = 8
    at_once: int = 8
    policy: str = "standard"

    def __post_init__(self) -> None:
        if self.parts < 1 or self.at_once < 1:
            raise InvalidInput("parts and at_once must be 1 or more", field="parts")


def curate(config: Curate, place: Place) -> Any:
    """The workflow as a ``kfp.dsl`` pipeline."""
    names = [f"{number}-of-{config.parts}" for number in range(1, config.parts + 1)]

    def pipeline(media: str, folder: str = "/runs/curated", seed: int = 0) -> None:
        common = {"media": media, "folder": folder, "policy": config.policy, "seed": seed}
        with dsl.ParallelFor(items=names, parallelism=config.at_once) as name:
            measured = place(VERBS["measure_part"], part=name, **common)
        place(VERBS["merge_parts"], parts=dsl.Collected(measured.outputs["done"]), **common)

    made = dsl.pipeline(name="omnireel-curate", description=__doc__.partition("\n")[0])
    return made(pipeline)
