"""The generator at two larger sizes: ``base`` for one GPU with 80 GB, ``large`` for many nodes.

Both start from random weights and learn from the procedural world, encoded by the shipped small
autoencoder: there are no open weights of this architecture to load yet, and no autoencoder of their
own (``vae=FOLDER`` takes one). ``omnireel train plan generator-base`` says what they need.
"""

from __future__ import annotations

from dataclasses import replace

from omnireel.generate.settings import ModelLimits, SamplingDefaults
from omnireel.recipes.generator import (
    GENERATOR_OPTIMIZER,
    GeneratorRecipe,
)
from omnireel.recipes.generator_tiny import ALL_CAPABILITY_WEIGHTS
from omnireel.recipes.transformer_size import TransformerSize
from omnireel.train import EmaConfig, FeedConfig, ScheduleConfig, TrainerConfig
from omnireel.train.latent_cache import LatentCacheConfig
from omnireel.train.objectives.flow_matching import FlowMatchingConfig
from omnireel.types import VideoFormat

_FPS = 16.0
_WIDE, _TALL, _SMALL = (832, 480), (480, 832), (640, 368)


def base_generator() -> GeneratorRecipe:
    """1.25 B parameters, 480p, three seconds; one GPU with 80 GB."""
    return GeneratorRecipe(
        trainer=TrainerConfig(
            num_steps=100_000,
            accumulate=4,
            log_every=10,
            validate_every=2_000,
            checkpoint_every=500,
            threads=0,
            autocast="bfloat16",
            device="cuda",
            optimizer=replace(GENERATOR_OPTIMIZER, muon_lr=0.005, adamw_lr=2e-4),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=1_000, decay_fraction=0.2),
            ema=EmaConfig(decays=(0.9995,)),
            feed=FeedConfig(workers=4, depth=8),
        ),
        model=TransformerSize(width=2048, depth=24, heads=16),
        data=LatentCacheConfig(
            count=100_000,
            formats=(
                VideoFormat(*_WIDE, 1, _FPS), VideoFormat(*_SMALL, 49, _FPS),
                VideoFormat(*_WIDE, 49, _FPS), VideoFormat(*_TALL, 49, _FPS),
            ),
            format_shares=(2, 3, 2, 1),
            weights=dict(ALL_CAPABILITY_WEIGHTS),
        ),
        batch_size=1,
        objective=FlowMatchingConfig(shift=5.0, even_below=0.5, vague_share=0.05),
        sampling=SamplingDefaults(num_inference_steps=50, shift=5.0),
        limits=ModelLimits(
            short_side=480, sizes=(_WIDE, _TALL, _SMALL), max_frames=49, fps=_FPS
        ),
        memory_gb=80.0,
    )  # fmt: skip


def large_generator() -> GeneratorRecipe:
    """8 B parameters, 480p, three seconds; many nodes, ZeRO and Ulysses."""
    recipe = base_generator()
    return replace(
        recipe,
        trainer=replace(
            recipe.trainer,
            accumulate=64,
            optimizer=replace(recipe.trainer.optimizer, muon_lr=0.003, adamw_lr=1e-4),
            ema=EmaConfig(decays=(0.9999,)),
        ),
        model=TransformerSize(width=4096, depth=40, heads=32),
        data=replace(recipe.data, count=1_000_000),
    )
