"""Recipes of the super-resolver's student: its teacher's walk of eight steps in one evaluation.

The super-resolver needs no guidance (the base clip says nearly everything) and is served with one
step, so there is no time to win, as there is for the generator: what the student has in its one
evaluation is the end point of the teacher's *eight*-step walk.

Eight steps are no nearer to the truth in decibels than one (a sample is farther from it than the
mean of all samples is), but sharper, which is what a super-resolver is for. A single jump tends to
that mean. So both losses run at once, from the teacher's weights on: matching distributions for
sharpness, and matching the trajectory, with full weight, so that every clip stays where its own
base clip leads. Networks and losses are the generator's, packed in windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from omnireel.generate.components import pixel_weights
from omnireel.generate.upscaler import upscale_config
from omnireel.recipes.base import Assembly, ComponentParts, Workplace
from omnireel.recipes.distillation import DistillationRecipe
from omnireel.recipes.distillation_tiny import debug_distribution, tiny_distribution
from omnireel.recipes.upscaler import check_enlarger, debug_upscaler, tiny_upscaler
from omnireel.registry import load_component
from omnireel.sampling.guidance import NO_GUIDANCE
from omnireel.train.objectives.distribution_matching import DistributionMatchingConfig
from omnireel.train.objectives.phase_grid import TrajectoryMatchingConfig
from omnireel.upscale.windows import WindowConfig


@dataclass(frozen=True)
class UpscalerDistillationRecipe(DistillationRecipe):
    """Distillation of a super-resolver: ``teacher`` is its component, ``data`` its pairs."""

    title: ClassVar[str] = "Omnireel super-resolver, distilled"
    part: ClassVar[str] = "upscaler"

    def windows(self) -> WindowConfig:
        """Those of the teacher."""
        config = load_component(self.teacher, kind=self.part).config
        return upscale_config(config["upscale"]).window

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """As a generator's; pairs are enlarged as the teacher does."""
        check_enlarger(self.teacher, self.data)
        return super().assemble(place, init_from)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The student, with what the teacher has for pixels."""
        parts = super().component(weights, place)
        pixels = pixel_weights(load_component(self.teacher).state_dict)
        return replace(parts, state_dict={**parts.state_dict, **pixels})


def debug_upscaler_student() -> UpscalerDistillationRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    first = debug_distribution()
    return UpscalerDistillationRecipe(
        trainer=first.trainer,
        objective=_one_step(fine_steps=4, last=debug_upscaler().sampling.last),
        data=debug_upscaler().data,
        batch_size=2,
        held_out=2,
        previews=1,
        workers=0,
    )


def tiny_upscaler_student() -> UpscalerDistillationRecipe:
    """The student of the tiny super-resolver; give it the teacher with --set teacher=FOLDER."""
    first = tiny_distribution()
    return UpscalerDistillationRecipe(
        trainer=replace(first.trainer, max_minutes=15.0),
        objective=_one_step(fine_steps=8, last=tiny_upscaler().sampling.last),
        data=tiny_upscaler().data,
        batch_size=4,
    )


def _one_step(fine_steps: int, last: float) -> DistributionMatchingConfig:
    walk = TrajectoryMatchingConfig(fine_steps, phases=1, last=last, guidance=NO_GUIDANCE)
    return DistributionMatchingConfig(trajectory=walk, trajectory_weight=1.0, min_time=0.1)
