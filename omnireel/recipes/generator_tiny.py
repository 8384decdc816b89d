"""The stages of the tiny generator, smallest first, and what they are shown.

====================== ================ ======= ===== ============== =====================
Recipe                 Starts from      Samples Batch First seed     Where, minutes
====================== ================ ======= ===== ============== =====================
generator-tiny-images  random weights    48,000    32              0 one CPU core, 25
generator-tiny-clips   images            32,000    32              0 one CPU core, 50
generator-tiny         clips             24,000    32              0 one CPU core, 60
generator-tiny-all     tiny              32,000    32      4,000,000 one CPU core, 60
generator-tiny-quality all                8,000    32      2,000,000 one CPU core, 20
generator-tiny-long    all              100,000   256     20,000,000 one GPU, 8
generator-tiny-fine    long             100,000   256     50,000,000 one GPU, 8
generator-tiny-views   fine             100,000   256     60,000,000 one GPU, 8
generator-tiny-company views            100,000   640     70,000,000 one GPU, 8
====================== ================ ======= ===== ============== =====================

Sample i of a stage is task number "first seed + i". The ranges of all stages that train on all
tasks are disjoint from one another, so that no stage learns samples of another by heart; the first
three share theirs, but show other formats or tasks. Held-out samples count from 1,000,000 in
combinations that training never shows, and cases of the benchmarks from 1,000,000,000
(:data:`omnireel.evaluate.cases.FIRST_SEED`): farther than any training run gets.

Each recipe is the one that its docstring names with a few fields replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from omnireel.generate.settings import ModelLimits, SamplingDefaults
from omnireel.recipes.generator import GENERATOR_OPTIMIZER, GeneratorRecipe
from omnireel.recipes.transformer_size import TransformerSize
from omnireel.sampling.guidance import Guidance
from omnireel.train import EmaConfig, FeedConfig, ScheduleConfig, TrainerConfig
from omnireel.train.latent_cache import LatentCacheConfig
from omnireel.train.objectives.flow_matching import FlowMatchingConfig
from omnireel.types import VideoFormat
from omnireel.world.distribution import CLEAR_SCENES, SceneDistribution

CORE_CAPABILITY_WEIGHTS: Mapping[str, float] = {
    "C1": 0.05, "C2": 0.11, "C3": 0.02, "C4": 0.02, "C5": 0.02, "C6": 0.03, "C7": 0.04,
    "C8": 0.15, "C12": 0.02, "C16": 0.02, "C17": 0.02, "C18": 0.12, "C19": 0.02, "C20": 0.36,
}  # fmt: skip
"""The first mixture: text to video teaches what all others build on."""

ALL_CAPABILITY_WEIGHTS: Mapping[str, float] = {
    **{name: 0.45 * weight for name, weight in CORE_CAPABILITY_WEIGHTS.items()},
    "C9": 0.06, "C10": 0.04, "C11": 0.06, "C13": 0.05, "C14": 0.05, "C15": 0.06, "C21": 0.06,
    "C22": 0.06, "C23": 0.05, "C24": 0.03, "C25": 0.03,
}  # fmt: skip
"""Every row of the capability table: what is new gets more than half, what is known is kept up."""

LONG_CAPABILITY_WEIGHTS: Mapping[str, float] = {
    "C1": 0.05, "C2": 0.05, "C3": 0.05, "C4": 0.04, "C5": 0.05, "C6": 0.04, "C7": 0.015,
    "C8": 0.025, "C9": 0.03, "C10": 0.03, "C11": 0.06, "C12": 0.04, "C13": 0.03, "C14": 0.03,
    "C15": 0.07, "C16": 0.03, "C17": 0.06, "C18": 0.035, "C19": 0.03, "C20": 0.15, "C21": 0.05,
    "C22": 0.06, "C23": 0.035, "C24": 0.05, "C25": 0.025,
}  # fmt: skip
"""What the benchmark found weak gets most; text to video teaches all others what things are."""

FINE_CAPABILITY_WEIGHTS: Mapping[str, float] = {
    **LONG_CAPABILITY_WEIGHTS,
    "C5": 0.06, "C10": 0.05, "C11": 0.07, "C14": 0.04, "C15": 0.08, "C17": 0.065, "C24": 0.06,
}  # fmt: skip
"""The same again: what is still weak gets more."""

VIEW_CAPABILITY_WEIGHTS: Mapping[str, float] = {
    "C1": 0.05, "C2": 0.04, "C3": 0.06, "C4": 0.04, "C5": 0.05, "C6": 0.05, "C7": 0.012,
    "C8": 0.02, "C9": 0.02, "C10": 0.05, "C11": 0.08, "C12": 0.025, "C13": 0.03, "C14": 0.05,
    "C15": 0.13, "C16": 0.02, "C17": 0.11, "C18": 0.025, "C19": 0.025, "C20": 0.13, "C21": 0.04,
    "C22": 0.06, "C23": 0.03, "C24": 0.09, "C25": 0.02,
}  # fmt: skip
"""Other views, another clip's camera and storyboards most: what a frame shows again must be known
from another side, or at another time."""

COMPANY_CAPABILITY_WEIGHTS: Mapping[str, float] = {
    **VIEW_CAPABILITY_WEIGHTS,
    "C1": 0.045, "C2": 0.03, "C3": 0.07, "C4": 0.045, "C12": 0.03, "C13": 0.045, "C16": 0.015,
    "C20": 0.11, "C21": 0.05, "C22": 0.05, "C23": 0.04, "C24": 0.1,
}  # fmt: skip
"""The same again, a little more of the shots before, requests of several tasks, and puzzles."""

TASK_SCENES = replace(
    CLEAR_SCENES, two_bodies=0.25, small=0.1, textured=0.25, effect=0.05, moving_camera=0.15
)
"""Nearly as clear, with enough company for edits and references to choose between."""


QUALITY_SCENES = replace(TASK_SCENES, small=0.0, other_weather=0.1, textured=0.2)
"""What the best clips look like: subjects large enough to be seen, few distractions."""

QUALITY_WEIGHTS: Mapping[str, float] = {
    name: 0.14 if name == "C20" else 0.86 / (len(ALL_CAPABILITY_WEIGHTS) - 1)
    for name in ALL_CAPABILITY_WEIGHTS
}
"""Balanced: the rare tasks as often as each other, text to video twice as often."""


def debug_generator() -> GeneratorRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    fmt = VideoFormat(32, 32, 9, 8.0)
    return GeneratorRecipe(
        trainer=TrainerConfig(
            num_steps=6, log_every=2, validate_every=3, checkpoint_every=3,
            optimizer=GENERATOR_OPTIMIZER,
        ),
        model=TransformerSize(width=64, depth=2, heads=2),
        data=LatentCacheConfig(count=16, formats=(fmt,), format_shares=(1,), shard_samples=8),
        batch_size=4,
        sampling=SamplingDefaults(num_inference_steps=2),
        limits=ModelLimits(short_side=32, sizes=((32, 32),), max_frames=9),
        held_out=4,
        previews=2,
        workers=0,
    )  # fmt: skip


def tiny_generator_images() -> GeneratorRecipe:
    """The first stage: what things look like. :func:`tiny_generator` on single clear frames of text
    to video, in less time and at less noise."""
    recipe = tiny_generator()
    frame = VideoFormat(64, 64, 1, 8.0)
    return replace(
        recipe,
        trainer=replace(recipe.trainer, max_minutes=25.0),
        data=LatentCacheConfig(
            count=48_000, formats=(frame,), format_shares=(1,), weights={"C20": 1.0},
            scenes=CLEAR_SCENES, shard_samples=256,
        ),
        objective=replace(recipe.objective, shift=2.0),
    )  # fmt: skip


def tiny_generator_clips() -> GeneratorRecipe:
    """The second stage: how things move. :func:`tiny_generator` on clear clips of text to video, in
    less time and at more noise."""
    recipe = tiny_generator()
    clip = VideoFormat(64, 64, 17, 8.0)
    return replace(
        recipe,
        trainer=replace(recipe.trainer, max_minutes=50.0),
        data=LatentCacheConfig(
            count=32_000, formats=(clip,), format_shares=(1,), weights={"C20": 1.0},
            scenes=CLEAR_SCENES, shard_samples=128,
        ),
        # Where things are and go is decided while there is almost nothing but noise.
        objective=replace(recipe.objective, shift=4.0),
    )  # fmt: skip


def tiny_generator() -> GeneratorRecipe:
    """The third stage: the first mixture of tasks. All other stages are made from this recipe."""
    return GeneratorRecipe(
        trainer=TrainerConfig(
            num_steps=200_000,
            max_minutes=60.0,
            log_every=20,
            validate_every=1000,
            checkpoint_every=100,
            threads=1,
            autocast="bfloat16",
            optimizer=replace(GENERATOR_OPTIMIZER, newton_schulz_type="bfloat16"),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=20, decay_fraction=0.25),
            ema=EmaConfig(decays=(0.995,)),
            feed=FeedConfig(workers=1, depth=4),
        ),
        data=LatentCacheConfig(
            count=24_000,
            format_shares=(8, 1, 1),
            weights=dict(CORE_CAPABILITY_WEIGHTS),
            scenes=TASK_SCENES,
        ),
        batch_size=32,
        # The longer it has learned, the less it must be guided: 4 was best for the first weights.
        sampling=SamplingDefaults(num_inference_steps=16, last=0.35, guidance=Guidance(text=2.0)),
        objective=FlowMatchingConfig(
            shift=3.0, even_below=0.5, vague_share=0.05, changed_focus=2.0
        ),
    )


def tiny_generator_all() -> GeneratorRecipe:
    """:func:`tiny_generator` on all capabilities, for weights that know the smaller mixture."""
    recipe = tiny_generator()
    return replace(
        recipe,
        data=replace(
            recipe.data, count=32_000, weights=dict(ALL_CAPABILITY_WEIGHTS), seed=4_000_000
        ),
    )


def tiny_generator_long() -> GeneratorRecipe:
    """:func:`tiny_generator_all` at length, on a GPU: many more samples, of all the scenes that the
    benchmark draws from, in larger batches that loaders prepare. More goes to what was weak."""
    recipe = tiny_generator_all()
    return replace(
        recipe,
        trainer=replace(
            recipe.trainer,
            max_minutes=8.0,
            validate_every=100_000,
            checkpoint_every=2_000,
            device="cuda",
            ema=EmaConfig(decays=(0.998,)),
            feed=FeedConfig(workers=6, depth=18, processes=True),
            schedule=replace(recipe.trainer.schedule, decay_fraction=0.4),
        ),
        data=replace(
            recipe.data,
            count=100_000,
            weights=dict(LONG_CAPABILITY_WEIGHTS),
            scenes=SceneDistribution(),
            seed=20_000_000,
        ),
        batch_size=256,
        held_out=512,
        workers=16,
    )


def tiny_generator_fine() -> GeneratorRecipe:
    """:func:`tiny_generator_long` with tokens of one latent pixel each, four times as many: what
    tells one kind of subject from another is smaller than the tokens of the stages before. Other
    samples, and more of what was still weak."""
    recipe = tiny_generator_long()
    return replace(
        recipe,
        model=TransformerSize(patch=1),
        compiled=True,
        data=replace(recipe.data, weights=dict(FINE_CAPABILITY_WEIGHTS), seed=50_000_000),
    )


def tiny_generator_views() -> GeneratorRecipe:
    """:func:`tiny_generator_fine` on other samples, with more of other views and storyboards."""
    recipe = tiny_generator_fine()
    return replace(
        recipe,
        data=replace(recipe.data, weights=dict(VIEW_CAPABILITY_WEIGHTS), seed=60_000_000),
    )


def tiny_generator_company() -> GeneratorRecipe:
    """:func:`tiny_generator_views` on other samples, in batches that fill a GPU: the host is busy
    for as long with a smaller one. Where tasks have no scenes of their own, half show two subjects:
    38 instead of 35 % of all do."""
    recipe = tiny_generator_views()
    feed = replace(recipe.trainer.feed, workers=8)
    return replace(
        recipe,
        trainer=replace(recipe.trainer, feed=feed),
        data=replace(
            recipe.data,
            weights=dict(COMPANY_CAPABILITY_WEIGHTS),
            scenes=SceneDistribution(two_bodies=0.5),
            seed=70_000_000,
        ),
        batch_size=640,
    )


def tiny_generator_quality() -> GeneratorRecipe:
    """The fourth stage: :func:`tiny_generator` on a small and balanced set of clear scenes, told
    precisely.

    The learning rate is half of the stage before, and falls for half of the time.
    """
    recipe = tiny_generator()
    optimizer = replace(recipe.trainer.optimizer, muon_lr=0.01, adamw_lr=5e-4)
    return replace(
        recipe,
        trainer=replace(
            recipe.trainer,
            max_minutes=20.0,
            optimizer=optimizer,
            schedule=replace(recipe.trainer.schedule, decay_fraction=0.5),
        ),
        data=replace(
            recipe.data,
            count=8_000,
            weights=dict(QUALITY_WEIGHTS),
            scenes=QUALITY_SCENES,
            seed=2_000_000,
        ),
        objective=replace(recipe.objective, vague_share=0.0),
    )
