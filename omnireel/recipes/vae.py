"""Recipes of the video autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.model.vae import VAEConfig, VideoVAE
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.train import FeedConfig, OptimizerConfig, ScheduleConfig, TrainerConfig
from omnireel.train.clip_cache import (
    ClipBatchConfig,
    ClipBatches,
    ClipCache,
    ClipCacheConfig,
    build_clip_cache,
)
from omnireel.train.held_out import held_out_clips
from omnireel.train.objectives.autoencoding import Autoencoding, AutoencodingConfig, to_video
from omnireel.train.warm_start import warm_start
from omnireel.types import VideoFormat

LIMITS = (
    "Learnt from Omnireel's procedural world only; real footage comes out blurred.",
    "Sides must be multiples of 8 and clips 1 + 4k frames long.",
)


@dataclass(frozen=True)
class VaeRecipe:
    """Autoencoder training: model, clips, loss and loop."""

    title: ClassVar[str] = "Omnireel video autoencoder"

    trainer: TrainerConfig
    model: VAEConfig = field(default_factory=VAEConfig)
    data: ClipCacheConfig = field(default_factory=ClipCacheConfig)
    batches: ClipBatchConfig = field(default_factory=ClipBatchConfig)
    objective: AutoencodingConfig = field(default_factory=AutoencodingConfig)
    held_out_per_format: int = 8
    statistics_clips: int = 256
    """Clips over which the latents' mean and spread are measured at export."""
    decoder_only: bool = False
    """Train the decoder of ``--init-from`` alone: its latents, and all that was made for them, stay
    as they are."""
    render_workers: int = 2
    clip_folder: Path | None = None
    """A finished clip cache to use as it is, instead of one that fits ``data``."""

    def __post_init__(self) -> None:
        check_counts(self, held_out_per_format=1, statistics_clips=1, render_workers=0)

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Render the clips; their folder by name."""
        return {"clips": str(self._clips(place))}

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Render the clips and build the objective."""
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        vae = VideoVAE(self.model)
        if init_from is not None:
            warm_start(vae, init_from, ("vae",))
        if self.decoder_only:
            if init_from is None and not place.pinned:
                raise InvalidInput(
                    "decoder_only keeps an encoder: give its component with --init-from",
                    field="init_from",
                )
            vae.encoder.requires_grad_(False)
        else:
            vae.set_statistics(torch.zeros_like(vae.latent_mean), torch.ones_like(vae.latent_std))
        held_out = tuple(
            held_out_clips(fmt, self.held_out_per_format, seed=10_000 + i)
            for i, fmt in enumerate(self.data.formats)
        )
        objective = Autoencoding(vae, self.objective, held_out, self.trainer.device)
        data = ClipBatches(ClipCache(Path(pinned["clips"])), self.batches)
        return Assembly(objective, data, pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The autoencoder with the latents' statistics measured on training clips."""
        clips = ClipCache(self._clips(place))
        vae = VideoVAE(self.model).eval()
        vae.load_state_dict(module_weights(weights, "vae"))
        if not self.decoder_only:
            mean, std = latent_statistics(vae, clips, self.statistics_clips)
            vae.set_statistics(mean, std)
        data = (
            f"{sum(map(clips.size, range(len(clips.formats))))} clips of the procedural world "
            f"({', '.join(f'{f.width}x{f.height}' for f in clips.formats)}, "
            f"{clips.formats[0].num_frames} frames)"
        )
        card: dict[str, Any] = {"data": data, "limits": list(LIMITS)}
        return ComponentParts("vae", asdict(self.model), vae.state_dict(), card)

    def _clips(self, place: Workplace) -> Path:
        if self.clip_folder is not None:
            return self.clip_folder
        if "clips" in place.pinned:
            return Path(place.pinned["clips"])
        return build_clip_cache(
            place.cache,
            self.data,
            workers=self.render_workers,
            report=lambda done, total: place.report("rendering clips", done, total),
        )


@torch.no_grad()
def latent_statistics(vae: VideoVAE, cache: ClipCache, count: int) -> tuple[Tensor, Tensor]:
    """Per-channel mean and divisor ``[C]`` that bring latents to about unit size.

    The divisor is the geometric mean of a channel's own spread and the overall spread: dividing by
    the own spread alone would blow faint detail up to the size of the layout, and the generator
    would spend itself on texture before it knows where things are.
    """
    per_bucket = max(1, count // len(cache.formats))
    latents = []
    for bucket in range(len(cache.formats)):
        for i in range(min(per_bucket, cache.size(bucket))):
            mean = vae.posterior(to_video(cache.clip(bucket, i)[None])).mean
            latents.append(mean[0].flatten(1))
    values = torch.cat(latents, dim=1).double()
    spread = values.std(1)
    overall = spread.square().mean().sqrt()
    return values.mean(1).float(), (spread * overall).sqrt().float()


def debug_vae() -> VaeRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    return VaeRecipe(
        trainer=TrainerConfig(
            num_steps=20, log_every=5, validate_every=10, checkpoint_every=10, threads=1
        ),
        model=VAEConfig(
            stem_channels=8, encoder_channels=16, decoder_channels=16, pixel_channels=8,
            encoder_blocks=1, decoder_blocks=1, pixel_blocks=1,
        ),
        data=ClipCacheConfig(count=16, formats=(VideoFormat(32, 32, 9, 8.0),), shard_clips=8),
        batches=ClipBatchConfig(batch_size=2),
        held_out_per_format=2,
        statistics_clips=8,
        render_workers=0,
    )  # fmt: skip


def tiny_vae_decoder() -> VaeRecipe:
    """The second stage of the shipped autoencoder: a better decoder for the same latents."""
    first = tiny_vae()
    return replace(
        first,
        trainer=replace(
            first.trainer,
            max_minutes=45.0,
            schedule=ScheduleConfig(kind="wsd", warmup_steps=50, decay_fraction=0.6),
        ),
        objective=AutoencodingConfig(latent_noise=0.1),
        decoder_only=True,
    )


def tiny_vae() -> VaeRecipe:
    """The shipped autoencoder: one to two hours on one CPU core."""
    return VaeRecipe(
        trainer=TrainerConfig(
            num_steps=20_000,
            max_minutes=60.0,
            log_every=20,
            validate_every=500,
            checkpoint_every=250,
            threads=1,
            optimizer=OptimizerConfig(
                muon_lr=0.01,
                adamw_lr=1e-3,
                muon_kernels=True,
                adamw_patterns=(r"gain", r"shortcut", r"\.out\.", r"stem\.", r"lift\."),
            ),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=100, decay_fraction=0.4),
            feed=FeedConfig(workers=1, depth=3),
        ),
        data=ClipCacheConfig(count=9_000),
        batches=ClipBatchConfig(batch_size=4),
    )
