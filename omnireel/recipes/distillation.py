"""Recipes of distillation: a student that needs one network evaluation a step, and few steps.

Trajectory matching first, then distribution matching with the first stage's loss as a regulariser.
Both read the encoded tasks that the teacher was trained on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.components import load_vae, model_limits, tokenizer_of
from omnireel.generate.settings import SamplingDefaults
from omnireel.model.sequence import pack
from omnireel.model.transformer import OmniTransformer
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.recipes.latents import LatentFolders
from omnireel.recipes.post_training import load_network, refined_component
from omnireel.recipes.preview import GeneratorPreview, Rival, started_from
from omnireel.registry import load_component
from omnireel.sampling.guidance import NO_GUIDANCE
from omnireel.shipped import SHIPPED_TEACHER, SHIPPED_TINY
from omnireel.train import (
    Objective,
    TrainData,
    TrainerConfig,
)
from omnireel.train.latent_batches import LatentBatches
from omnireel.train.latent_cache import LatentCache, LatentCacheConfig
from omnireel.train.objectives.distribution_matching import (
    DistributionMatching,
    DistributionMatchingConfig,
)
from omnireel.train.objectives.packed import PackFn, frozen_copy
from omnireel.train.objectives.phase_grid import TrajectoryMatchingConfig
from omnireel.train.objectives.trajectory_matching import TrajectoryMatching
from omnireel.train.prepared import PreparedBatches
from omnireel.upscale.windows import WindowConfig, pack_windows


@dataclass(frozen=True)
class DistillationRecipe:
    """Distillation of a guided teacher; the type of ``objective`` is the stage."""

    title: ClassVar[str] = "Omnireel Omni-Generator, distilled"
    part: ClassVar[str] = "generator"
    """Kind of component that teacher and student are."""

    trainer: TrainerConfig
    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of the autoencoder."""
    teacher: Path = SHIPPED_TEACHER
    """Component folder of the frozen teacher, from which the student starts unless --init-from
    names an earlier student."""
    objective: TrajectoryMatchingConfig | DistributionMatchingConfig = field(
        default_factory=TrajectoryMatchingConfig
    )
    data: LatentCacheConfig = field(default_factory=LatentCacheConfig)
    batch_size: int = 16
    held_out: int = 32
    previews: int = 4
    workers: int = 2
    folders: LatentFolders = field(default_factory=LatentFolders)

    def __post_init__(self) -> None:
        check_counts(self, batch_size=1, held_out=1, previews=0, workers=0)

    @property
    def trajectory(self) -> TrajectoryMatchingConfig:
        """The student's schedule and the teacher's guidance."""
        if isinstance(self.objective, DistributionMatchingConfig):
            return self.objective.trajectory
        return self.objective

    @property
    def sampling(self) -> SamplingDefaults:
        """How the student samples: guidance is baked in."""
        schedule = self.trajectory
        return SamplingDefaults(
            schedule.phases,
            schedule.shift,
            last=schedule.last,
            guidance=NO_GUIDANCE,
            shift_by=schedule.shift_by,
        )

    def windows(self) -> WindowConfig | None:
        """Windows that the networks attend in; None: whole samples."""
        return None

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Encode training and held-out samples; their folders by name."""
        return self.folders.build(
            place, self.vae, self.data, held_out=self.held_out, workers=self.workers
        )

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Encode the data and build the objective.

        Raises:
            InvalidInput: guidance is asked of a teacher that has it in its weights already.

        """
        self._check_teacher()
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        student = load_network(init_from or self.teacher, self.trainer, self.part)
        objective = self._objective(student, place, pinned)
        cache = LatentCache(Path(pinned["latents"]), self.data)
        batches: TrainData = LatentBatches(cache, self.batch_size)
        if self.trainer.feed.processes and isinstance(objective, TrajectoryMatching):
            batches = PreparedBatches(
                batches, objective.preparation, self.trainer.seed, self.trainer.accumulate
            )
        return Assembly(objective, batches, pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The student; the fake network of distribution matching stays behind."""
        del place
        data = (
            f"{self.data.num_shards * self.data.shard_samples} encoded samples of the procedural "
            "world, and the teacher's velocities"
        )
        student = module_weights(weights, "transformer")
        return refined_component(
            self.teacher, student, {"data": data}, self.sampling, guidance_baked_in=True
        )

    def _check_teacher(self) -> None:
        limits = model_limits(load_component(self.teacher, kind=self.part))
        if limits.guidance_baked_in and self.trajectory.guidance != NO_GUIDANCE:
            raise InvalidInput(
                f"{self.teacher} is a student itself, with guidance baked into its weights; set "
                "text, image and video of the objective's guidance to 1",
                field="objective.guidance",
            )

    def _packing(self) -> PackFn:
        windows = self.windows()
        return pack if windows is None else partial(pack_windows, config=windows)

    def _objective(
        self, student: OmniTransformer, place: Workplace, pinned: Mapping[str, str]
    ) -> Objective:
        device = self.trainer.device
        teacher = frozen_copy(load_network(self.teacher, self.trainer, self.part))
        held_out = self.folders.held_out_records(pinned, self.data, self.held_out)
        preview = GeneratorPreview(
            load_vae(self.vae),
            held_out[: self.previews],
            self.sampling,
            device,
            windows=self.windows(),
            rivals=(
                Rival("teacher", self.teacher),
                *started_from(place.started_from, self.part, self.vae),
            ),
            fps=model_limits(load_component(self.teacher)).fps,
        )
        tokenizer = tokenizer_of(student.config)
        if isinstance(self.objective, DistributionMatchingConfig):
            return DistributionMatching(
                student,
                # Its first task is to know the student's samples from data, which takes a network
                # that knows scores: an earlier stage's student only knows the ends of its phases.
                copy.deepcopy(teacher).requires_grad_(True).train(),
                teacher,
                tokenizer,
                self.objective,
                self._packing(),
                held_out=held_out,
                preview=preview,
                device=device,
            )
        return TrajectoryMatching(
            student,
            teacher,
            tokenizer,
            self.objective,
            self._packing(),
            held_out=held_out,
            preview=preview,
            device=device,
        )
