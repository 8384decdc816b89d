"""Recipes of the Omni-Generator: flow matching over the whole mixture of tasks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.components import (
    generator_component_config,
    latent_space_sha256,
    load_vae,
    tokenizer_of,
)
from omnireel.generate.settings import ModelLimits, SamplingDefaults
from omnireel.model.compiled import compile_blocks
from omnireel.model.packed_attention import choose_attention
from omnireel.model.sequence import PATCH, pack
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.recipes.base import Assembly, ComponentParts, Workplace, check_counts, module_weights
from omnireel.recipes.batches import (
    Batching,
    Encoding,
    check_batching,
    check_degrees,
    check_loaders,
    packed_batches,
    text_tokens,
)
from omnireel.recipes.latents import LatentFolders
from omnireel.recipes.planning.fit import fit_on_device
from omnireel.recipes.planning.hardware import GB
from omnireel.recipes.planning.workload import (
    Workload,
    packed_workload,
    transformer_workload,
)
from omnireel.recipes.preview import GeneratorPreview, started_from
from omnireel.recipes.shard_data import encode_shards, open_shards, shard_facts, shard_samples
from omnireel.recipes.shard_words import pin_words, run_words
from omnireel.recipes.transformer_size import TransformerSize
from omnireel.registry import load_component
from omnireel.shipped import SHIPPED_TINY
from omnireel.train import (
    OptimizerConfig,
    TrainData,
    TrainerConfig,
)
from omnireel.train.balance import PackingConfig
from omnireel.train.latent_batches import LatentBatches
from omnireel.train.latent_cache import (
    LatentCache,
    LatentCacheConfig,
)
from omnireel.train.latent_record import LatentRecord
from omnireel.train.latent_samples import LatentSamples
from omnireel.train.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from omnireel.train.online import OnlineBatches
from omnireel.train.prepared import PreparedBatches
from omnireel.train.warm_start import warm_start

_LIMITS = (
    "Knows Omnireel's procedural world only: its subjects, colours, places, motions and words.",
    "Clips of 17 frames at 8 frames per second; small subjects lose their shape first.",
)


@dataclass(frozen=True)
class GeneratorRecipe:
    """Generator training: network, encoded tasks, loss and loop."""

    title: ClassVar[str] = "Omnireel Omni-Generator"

    trainer: TrainerConfig
    vae: Path = SHIPPED_TINY / "vae"
    """Component folder of the frozen autoencoder."""
    model: TransformerSize = field(default_factory=TransformerSize)
    data: LatentCacheConfig = field(default_factory=LatentCacheConfig)
    batch_size: int = 24
    """Samples of one format in a batch."""
    batching: Batching = "formats"
    """Batches of ``batch_size`` samples of one format each, or of all formats mixed and packed into
    a budget of tokens."""
    packing: PackingConfig = field(default_factory=PackingConfig)
    """Budget of packed batches."""
    encoding: Encoding = "cache"
    """Samples are encoded beforehand and kept, or by the loader's processes while training runs."""
    objective: FlowMatchingConfig = field(default_factory=FlowMatchingConfig)
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)
    limits: ModelLimits = field(default_factory=ModelLimits)
    held_out: int = 128
    """Samples with held-out combinations for the validation loss."""
    previews: int = 8
    """Of these, how many are generated and shown at each validation."""
    workers: int = 2
    folders: LatentFolders = field(default_factory=LatentFolders)
    shards: Path | None = None
    """Training shards to learn from (``omnireel data pack``) instead of the procedural world; they
    get the sizes, rate and length of ``limits``."""
    shard_words: int = 8192
    """Words of the shards' captions that become one token each, the most frequent ones; all others
    are spelled."""
    compiled: bool = False
    """Fuse the network's small operations (:mod:`omnireel.model.compiled`); not with offload_gb."""
    memory_gb: float = 0.0
    """Memory of a device to fit a step into, by computing again in the backward pass what saves
    most bytes per operation. 0: keep everything."""
    offload_gb: float = 0.0
    """Host memory of each device that activations may move to before any are computed again; needs
    ``memory_gb``, and a device that has a host. 0: none."""

    def __post_init__(self) -> None:
        check_counts(self, batch_size=1, held_out=1, previews=0, workers=0, shard_words=0)
        check_batching(self.batching, self.encoding)
        if self.compiled and self.offload_gb:
            raise InvalidInput(
                "compiled blocks keep their activations where they are; set compiled=false, or "
                "leave offload_gb at 0",
                field="compiled",
            )
        if self.shards is not None and self.encoding != "cache":
            raise InvalidInput(
                "training shards are encoded once; leave encoding at 'cache'", field="encoding"
            )

    def workload(self) -> Workload:
        """The network on the meta device, and typical micro-batches."""
        return self._workload(self._network(PATCH, {}))

    def _patch(self, weights: Mapping[str, Tensor]) -> int:
        """Of the tokens of a network with these weights; 2 if they are not a generator's."""
        entry = weights.get("target_in.weight")
        if entry is None:
            return PATCH
        return math.isqrt(entry.shape[1] // load_vae(self.vae).config.latent_channels)

    def _network(self, patch: int, pinned: Mapping[str, str]) -> TransformerConfig:
        channels = load_vae(self.vae).config.latent_channels
        return self.model.build(channels, run_words(pinned, self.shard_words), patch)

    def _workload(self, network: TransformerConfig) -> Workload:
        if self.batching == "packed":
            found = packed_workload(
                network, self.data, self.packing, padded=self.trainer.pads_attention
            )
        else:
            found = transformer_workload(
                network, self.data, self.batch_size, padded=self.trainer.pads_attention
            )
        return replace(found, host_bytes=self.offload_gb * GB)

    def prepare(self, place: Workplace) -> Mapping[str, str]:
        """Encode training and held-out samples; their folders by name."""
        check_degrees(self.batching, self.packing, self.model.heads)
        if self.shards is not None:
            found = encode_shards(place, self.shards, self.limits, self.vae, workers=self.workers)
            return pin_words(place, found, self.shard_words)
        return self.folders.build(
            place,
            self.vae,
            self.data,
            held_out=self.held_out,
            workers=self.workers,
            train=self.encoding == "cache",
        )

    def assemble(self, place: Workplace, init_from: Path | None) -> Assembly:
        """Encode the data and build the objective."""
        check_loaders(self.encoding, self.trainer.feed)
        start = {} if init_from is None else load_component(init_from).state_dict
        patch = self._patch(start)
        planned = self._workload(self._network(patch, {}))
        fit = fit_on_device(planned, self.trainer, self.memory_gb)
        pinned = self.prepare(place)
        network = self._network(patch, pinned)
        torch.manual_seed(self.trainer.seed)
        vae = load_vae(self.vae)
        model = OmniTransformer(
            network, choose_attention(self.trainer.device, self.trainer.compute)
        )
        fit.apply(model)
        if init_from is not None:
            warm_start(model, init_from, ("generator",))
        if self.compiled:
            compile_blocks(model)
        device = self.trainer.device
        tokenizer = tokenizer_of(model.config)
        batches, held_out = self._data(pinned, tokenizer, model.config)
        objective = FlowMatching(
            model,
            tokenizer,
            self.objective,
            pack,
            held_out=held_out,
            preview=GeneratorPreview(
                vae,
                held_out[: self.previews],
                self.sampling,
                device,
                rivals=started_from(place.started_from, "generator", self.vae),
                fps=self.limits.fps,
            ),
            device=device,
        )
        if self.trainer.feed.processes and self.batching == "formats":
            batches = PreparedBatches(
                batches, objective.preparation, self.trainer.seed, self.trainer.accumulate
            )
        return Assembly(objective, batches, pinned, objective.weigh)

    def _data(
        self, pinned: Mapping[str, str], tokenizer: Tokenizer, network: TransformerConfig
    ) -> tuple[TrainData, list[LatentRecord]]:
        """Batches to learn from, and held-out records."""
        parts = self.trainer.accumulate
        if self.shards is not None:
            if self.batching == "formats":
                return open_shards(pinned, held_out=self.held_out, batch_size=self.batch_size)
            samples, validate = shard_samples(
                pinned, tokenizer, network.patch, held_out=self.held_out
            )
            return packed_batches(samples, network, self.packing, parts), validate
        held_out = self.folders.held_out_records(pinned, self.data, self.held_out)
        if self.encoding == "online":
            return OnlineBatches(self.vae, self.data, self.batch_size), held_out
        cache = LatentCache(Path(pinned["latents"]), self.data)
        if self.batching == "packed":
            mixed = LatentSamples(cache, text_tokens(tokenizer), network.patch)
            return packed_batches(mixed, network, self.packing, parts), held_out
        return LatentBatches(cache, self.batch_size), held_out

    def component(self, weights: Mapping[str, Tensor], place: Workplace) -> ComponentParts:
        """The generator, tied to the autoencoder that it was trained on."""
        network_weights = module_weights(weights, "transformer")
        config = self._network(self._patch(network_weights), place.pinned)
        if self.shards is not None:
            facts = shard_facts(place.pinned, tokenizer_of(config))
            names, count, origin = facts.capabilities, facts.count, facts.origin
            known: tuple[str, ...] = ("Knows what its training shards show.", *facts.limits)
        else:
            names = tuple(sorted(n for n, w in self.data.weights.items() if w > 0))
            count, origin = self.data.num_shards * self.data.shard_samples, "the procedural world"
            known = _LIMITS
        limits = replace(self.limits, capabilities=names)
        kept = "ever new" if self.encoding == "online" else f"{count} encoded"
        data = f"{kept} samples of {origin}, {len(names)} capabilities"
        card: dict[str, Any] = {"data": data, "limits": list(known), "capabilities": names}
        return ComponentParts(
            "generator",
            generator_component_config(
                config, self.sampling, limits, latent_space_sha256(self.vae)
            ),
            network_weights,
            card,
        )


GENERATOR_OPTIMIZER = OptimizerConfig(
    muon_lr=0.02,
    adamw_lr=1e-3,
    adamw_patterns=(
        r"embedding",
        r"table",
        r"transformer\.out\.",
        r"base_gate",
        r"(time|summary)_",
        r"(condition|target|aligned)_in\.",
        r"final",
    ),
)
