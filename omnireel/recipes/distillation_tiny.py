"""The distillations of the tiny generator, in the order in which they follow each other."""

from __future__ import annotations

from dataclasses import replace

from omnireel.recipes.distillation import DistillationRecipe
from omnireel.recipes.generator import GENERATOR_OPTIMIZER
from omnireel.recipes.generator_tiny import (
    debug_generator,
    tiny_generator_all,
    tiny_generator_company,
    tiny_generator_fine,
    tiny_generator_long,
    tiny_generator_views,
)
from omnireel.train import EmaConfig, FeedConfig, ScheduleConfig, TrainerConfig
from omnireel.train.objectives.distribution_matching import DistributionMatchingConfig
from omnireel.train.objectives.phase_grid import TrajectoryMatchingConfig

FAKE_FASTER = {r"^fake\.": 5.0}
"""Learning rate of the fake network over the student's."""
STUDENT_BANDS = {"saturation": (0.7, 1.4), "motion": (0.4, 2.5), "diversity": (0.2, 1.5)}
"""Where a student's clips lie that are not burnt in, frozen, or all the same; see
:mod:`omnireel.train.objectives.watch`. Wide: of the shipped student three clips measured 0.95 to
1.05, 0.2 to 2.2 (1.2 in the mean) and 0.55 to 0.87, and a validation is the mean of 32."""


def debug_trajectory() -> DistillationRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    first = debug_generator()
    return DistillationRecipe(
        trainer=replace(first.trainer, num_steps=3, checkpoint_every=1),
        objective=TrajectoryMatchingConfig(fine_steps=4, phases=2),
        data=first.data,
        batch_size=2,
        held_out=2,
        previews=1,
        workers=0,
    )


def debug_distribution() -> DistillationRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    first = debug_trajectory()
    optimizer = replace(first.trainer.optimizer, lr_multipliers=FAKE_FASTER)
    return replace(
        first,
        trainer=replace(first.trainer, optimizer=optimizer),
        objective=DistributionMatchingConfig(trajectory=first.trajectory),
    )


def tiny_trajectory() -> DistillationRecipe:
    """The first stage of the tiny student: ten steps without guidance."""
    sampling = tiny_generator_all().sampling
    return DistillationRecipe(
        trainer=TrainerConfig(
            num_steps=2_000,
            max_minutes=40.0,
            log_every=20,
            validate_every=200,
            checkpoint_every=50,
            threads=1,
            autocast="bfloat16",
            optimizer=replace(
                GENERATOR_OPTIMIZER, muon_lr=0.002, adamw_lr=1e-4, newton_schulz_type="bfloat16"
            ),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=10, decay_fraction=0.4),
            ema=EmaConfig(decays=(0.99,)),
            feed=FeedConfig(workers=1, depth=3),
        ),
        objective=TrajectoryMatchingConfig(last=sampling.last, guidance=sampling.guidance),
        data=tiny_generator_all().data,
    )


def tiny_distribution() -> DistillationRecipe:
    """The second stage of the tiny student; give it the first with --init-from."""
    first = tiny_trajectory()
    optimizer = replace(
        first.trainer.optimizer,
        muon_lr=0.001,
        adamw_lr=5e-5,
        adamw_betas=(0.0, 0.95),
        lr_multipliers=FAKE_FASTER,
    )
    return replace(
        first,
        # Differences of two networks that are nearly equal: float32.
        trainer=replace(
            first.trainer,
            max_minutes=30.0,
            autocast="off",
            optimizer=optimizer,
            validate_every=50,
            bands=STUDENT_BANDS,
            max_skips=5,
        ),
        objective=DistributionMatchingConfig(trajectory=first.trajectory, min_time=0.1),
        batch_size=8,
    )


def tiny_trajectory_long() -> DistillationRecipe:
    """The first stage on a GPU, from what the teacher learned at length there; loaders pack."""
    recipe = _long(tiny_trajectory())
    feed = tiny_generator_long().trainer.feed
    return replace(recipe, trainer=replace(recipe.trainer, feed=feed))


def tiny_trajectory_fine() -> DistillationRecipe:
    """The same for a teacher with the finest tokens, on the samples that it learned from."""
    return replace(tiny_trajectory_long(), data=tiny_generator_fine().data)


def tiny_trajectory_views() -> DistillationRecipe:
    """The same for the teacher that saw more views. It walks each phase in two steps, about as many
    as it samples with: of a finer walk a short distillation only learns the beginning."""
    recipe = tiny_trajectory_long()
    phases = recipe.trajectory.phases
    return replace(
        recipe,
        objective=replace(recipe.trajectory, fine_steps=2 * phases),
        data=tiny_generator_views().data,
    )


def tiny_trajectory_company() -> DistillationRecipe:
    """The same for the teacher of larger batches, in larger batches too."""
    recipe = tiny_trajectory_views()
    source = tiny_generator_company()
    optimizer = replace(recipe.trainer.optimizer, muon_lr=0.003, adamw_lr=1.5e-4)
    trainer = replace(
        recipe.trainer, max_minutes=3.0, optimizer=optimizer, feed=source.trainer.feed
    )
    return replace(recipe, trainer=trainer, data=source.data, batch_size=192)


def tiny_distribution_long() -> DistillationRecipe:
    """The second stage on a GPU; give it the first with --init-from."""
    return _long(tiny_distribution(), validate_every=200, checkpoint_every=200)


def _long(
    recipe: DistillationRecipe, *, validate_every: int = 100_000, checkpoint_every: int = 1_000
) -> DistillationRecipe:
    source = tiny_generator_long()
    trainer = replace(
        recipe.trainer,
        max_minutes=2.0,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
        device=source.trainer.device,
    )
    return replace(recipe, trainer=trainer, data=source.data, batch_size=64, workers=source.workers)
