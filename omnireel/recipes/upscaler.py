"""Recipes of the super-resolver: the generator's network with windowed attention, twice the size.

The target is the scene rendered at twice the size; the base clip, worn by a noisy trip through the
autoencoder and enlarged, is one more condition. Start from a trained generator with --init-from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.components import (
    ENLARGER,
    PIXEL_PARTS,
    generator_component_config,
    latent_space_sha256,
    load_vae,
    part_weights,
    pixel_weights,
    tokenizer_of,
)
from omnireel.generate.settings import ModelLimits, SamplingDefaults
from omnireel.generate.upscaler import UpscaleConfig
from omnireel.model.packed_attention import choose_attention
from omnireel.model.transformer import OmniTransformer
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.recipes.generator import GENERATOR_OPTIMIZER
from omnireel.recipes.latents import LatentFolders
from omnireel.recipes.planning.fit import fit_on_device
from omnireel.recipes.planning.hardware import GB
from omnireel.recipes.planning.workload import Workload, transformer_workload
from omnireel.recipes.preview import GeneratorPreview, started_from
from omnireel.recipes.transformer_size import TransformerSize
from omnireel.registry import load_component
from omnireel.sampling.guidance import NO_GUIDANCE
from omnireel.shipped import SHIPPED_TINY
from omnireel.train import EmaConfig, FeedConfig, ScheduleConfig, TrainerConfig
from omnireel.train.latent_batches import LatentBatches
from omnireel.train.latent_cache import LatentCache, LatentCacheConfig
from omnireel.train.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from omnireel.train.warm_start import warm_start
from omnireel.types import VideoFormat
from omnireel.upscale.windows import WindowConfig, pack_windows
from omnireel.world.lexicon import vocabulary

LIMITS = (
    "Knows Omnireel's procedural world only.",
    "Doubles width and height; it sharpens what the base clip shows and invents nothing new.",
)


@dataclass(frozen=True)
class UpscalerRecipe:
    """Super-resolver training: network, windows, encoded pairs, loss and loop."""

    title: ClassVar[str] = "Omnireel super-resolver"

    trainer: TrainerConfig
    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of the frozen autoencoder."""
    model: TransformerSize = field(default_factory=TransformerSize)
    upscale: UpscaleConfig = field(default_factory=UpscaleConfig)
    data: LatentCacheConfig = field(default_factory=lambda: LatentCacheConfig(upscale=2))
    batch_size: int = 8
    objective: FlowMatchingConfig = field(
        # The base clip is always there (the windows lie on it), so it is never dropped.
        default_factory=lambda: FlowMatchingConfig(drop_video=0.0, vague_share=0.2)
    )
    sampling: SamplingDefaults = field(
        default_factory=lambda: SamplingDefaults(num_inference_steps=8, guidance=NO_GUIDANCE)
    )
    limits: ModelLimits = field(default_factory=ModelLimits)
    """Limits on the base clip."""
    held_out: int = 48
    previews: int = 4
    workers: int = 2
    folders: LatentFolders = field(default_factory=LatentFolders)
    memory_gb: float = 0.0
    """As in the generator's recipe: memory of a device to fit a step into; 0: keep everything."""
    offload_gb: float = 0.0
    """As in the generator's recipe: host memory that activations may move to."""

    def __post_init__(self) -> None:
        check_counts(self, batch_size=1, held_out=1, previews=0, workers=0)

    def workload(self) -> Workload:
        """The network on the meta device, and typical micro-batches."""
        channels = load_vae(self.vae).config.latent_channels
        network = self.model.build(channels, vocabulary())
        found = transformer_workload(
            network,
            self.data,
            self.batch_size,
            self.upscale.window,
            padded=self.trainer.pads_attention,
        )
        return replace(found, host_bytes=self.offload_gb * GB)

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Encode training and held-out pairs; their folders by name."""
        return self.folders.build(
            place, self.vae, self.data, held_out=self.held_out, workers=self.workers
        )

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Encode the pairs and build the objective."""
        if init_from is not None:
            check_enlarger(init_from, self.data)
        fit = fit_on_device(self.workload(), self.trainer, self.memory_gb)
        pinned = self.prepare(place)
        torch.manual_seed(self.trainer.seed)
        vae = load_vae(self.vae)
        model = OmniTransformer(
            self.model.build(vae.config.latent_channels, vocabulary()),
            choose_attention(self.trainer.device, self.trainer.compute),
        )
        fit.apply(model)
        if init_from is not None:
            kind = warm_start(model, init_from, ("generator", "upscaler"))
            if kind == "generator":
                # A generator predicts whole clips; here the prediction is a change to the base.
                torch.nn.init.zeros_(model.out.weight)
                torch.nn.init.zeros_(model.out.bias)
        held_out = self.folders.held_out_records(pinned, self.data, self.held_out)
        device = self.trainer.device
        windows = self.upscale.window
        objective = FlowMatching(
            model,
            tokenizer_of(model.config),
            self.objective,
            partial(pack_windows, config=windows),
            held_out=held_out,
            preview=GeneratorPreview(
                vae,
                held_out[: self.previews],
                self.sampling,
                device,
                windows=windows,
                rivals=started_from(place.started_from, "upscaler", self.vae),
                fps=self.limits.fps,
            ),
            validation_batch=4,
            device=device,
        )
        cache = LatentCache(Path(pinned["latents"]), self.data)
        return Assembly(objective, LatentBatches(cache, self.batch_size), pinned)

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The super-resolver, tied to the autoencoder that it was trained on."""
        del place
        vae = load_vae(self.vae)
        network = self.model.build(vae.config.latent_channels, vocabulary())
        config = generator_component_config(
            network, self.sampling, self.limits, latent_space_sha256(self.vae)
        )
        data = (
            f"{self.data.num_shards * self.data.shard_samples} encoded pairs of the procedural "
            f"world, twice the size"
        )
        card: dict[str, Any] = {"data": data, "limits": list(LIMITS)}
        upscale, state = asdict(self.upscale), module_weights(weights, "transformer")
        if self.data.enlarger is not None:
            enlarging = load_component(self.data.enlarger, kind="upscaler")
            parts = enlarging.config["upscale"]
            upscale |= {part: parts[part] for part in PIXEL_PARTS if part in parts}
            state |= pixel_weights(enlarging.state_dict)
        return ComponentParts("upscaler", {**config, "upscale": upscale}, state, card)


def check_enlarger(folder: Path, data: LatentCacheConfig) -> None:
    """Refuse pairs that are enlarged in another way than the super-resolver in ``folder`` does."""
    has = part_weights(load_component(folder).state_dict, ENLARGER)
    made = {}
    if data.enlarger is not None:
        made = part_weights(load_component(data.enlarger, kind="upscaler").state_dict, ENLARGER)
    same = has.keys() == made.keys() and all(torch.equal(t, made[n]) for n, t in has.items())
    if has and not same:
        raise InvalidInput(
            f"{folder} has an enlarger, which makes the clips that its transformer sees: set "
            f"data.enlarger={folder}",
            field="data.enlarger",
        )


def debug_upscaler() -> UpscalerRecipe:
    """A minute of work that shows that everything runs; the result is of no use."""
    fmt = VideoFormat(32, 32, 9, 8.0)
    data = LatentCacheConfig(
        count=8, formats=(fmt,), format_shares=(1,), shard_samples=4, upscale=2
    )
    return UpscalerRecipe(
        trainer=TrainerConfig(
            num_steps=4, log_every=2, validate_every=4, checkpoint_every=4,
            optimizer=GENERATOR_OPTIMIZER,
        ),
        model=TransformerSize(width=64, depth=2, heads=2),
        upscale=UpscaleConfig(window=WindowConfig(frames=3, height=2, width=2)),
        data=data,
        batch_size=2,
        sampling=SamplingDefaults(num_inference_steps=2, guidance=NO_GUIDANCE),
        limits=ModelLimits(short_side=32, sizes=((32, 32),), max_frames=9),
        held_out=4,
        previews=1,
        workers=0,
    )  # fmt: skip


def tiny_upscaler() -> UpscalerRecipe:
    """The shipped super-resolver; give it the shipped generator with --init-from."""
    data = LatentCacheConfig(count=3_000, shard_samples=32, upscale=2)
    return UpscalerRecipe(
        trainer=TrainerConfig(
            num_steps=50_000,
            max_minutes=45.0,
            log_every=20,
            validate_every=500,
            checkpoint_every=200,
            threads=1,
            autocast="bfloat16",
            optimizer=replace(GENERATOR_OPTIMIZER, muon_lr=0.01, newton_schulz_type="bfloat16"),
            schedule=ScheduleConfig(kind="wsd", warmup_steps=50, decay_fraction=0.4),
            ema=EmaConfig(decays=(0.99,)),
            feed=FeedConfig(workers=1, depth=3),
        ),
        model=TransformerSize(depth=2, mlp_ratio=2.0),
        data=data,
        objective=FlowMatchingConfig(drop_video=0.0, vague_share=0.2, shift=2.0, even_below=0.5),
        # More steps invent detail that is not there: 0.04 dB less with two, and twice the time.
        sampling=SamplingDefaults(num_inference_steps=1, last=0.35, guidance=NO_GUIDANCE),
    )
