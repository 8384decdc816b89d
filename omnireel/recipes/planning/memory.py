"""How many bytes a training run takes on each device, from the shapes.

Two things compete for the memory: what stays (weights, gradients, optimiser states, averages) and
what a step needs, which is largest either at the end of the forward pass (activations) or while the
optimiser works. Legend as in :mod:`omnireel.train.flops`; ``a`` is 2 where matrix
products are computed in bfloat16 (autocast) and 4 where in float32. Master weights are float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from torch import nn

from omnireel.model.transformer import TransformerConfig
from omnireel.train import TrainerConfig
from omnireel.train.flops import AttentionShape, PackShape, muon_matrices
from omnireel.train.optim import split_parameters

Compute = Literal["float32", "bfloat16"]
_BLOCKS_GATHERED = 2
"""ZeRO-3: the block at work and the one that is fetched meanwhile."""


@dataclass(frozen=True)
class Layout:
    """How a run is spread: ZeRO stage and Ulysses degree."""

    zero: int = 0
    ulysses: int = 1


@dataclass(frozen=True)
class StateBytes:
    """What stays on one device, in bytes."""

    weights: float
    casts: float
    gradients: float
    optimizer: float
    averages: float
    frozen: float
    update: float
    """Not kept: what the optimiser needs while it works, when activations are gone."""

    @property
    def kept(self) -> float:
        """All but ``update``."""
        return sum(float(getattr(self, f.name)) for f in fields(self)) - self.update


@dataclass(frozen=True)
class StateSizes:
    """Counts of numbers behind :class:`StateBytes`."""

    trained: int
    all_weights: int
    """Trained modules whole: with adapters, most of their weights are not trained."""
    averaged: int
    """Parameters and floating-point buffers."""
    linear: int
    """Weights of linear layers and convolutions, of which autocast keeps bfloat16 copies."""
    block: int
    """The largest repeated block; without blocks, all of it."""
    muon: int
    adamw: int
    muon_group: int
    """Numbers in the largest set of equal matrices, which Muon works on at once."""
    muon_gram: int
    """Numbers in the Gram matrices of that set."""
    frozen: int


def state_sizes(
    trainer: TrainerConfig, trained: Mapping[str, nn.Module], frozen: Mapping[str, nn.Module]
) -> StateSizes:
    """Count what each state holds; modules may be on the meta device."""
    parameters = {
        f"{prefix}.{name}": p
        for prefix, module in trained.items()
        for name, p in module.named_parameters()
    }
    moving = {name: p for name, p in parameters.items() if p.requires_grad}
    muon, adamw = split_parameters(trainer.optimizer, moving)
    matrices = muon_matrices(trainer.optimizer, trained.items())
    largest = max(matrices, key=lambda s: matrices[s] * s[0] * s[1], default=(0, 0))
    buffers = sum(
        t.numel()
        for module in trained.values()
        for t in module.state_dict().values()
        if t.is_floating_point()
    )
    whole = sum(p.numel() for p in parameters.values())
    blocks = [
        sum(p.numel() for p in child.parameters())
        for module in trained.values()
        for child in getattr(module, "blocks", ())
    ]
    return StateSizes(
        trained=sum(p.numel() for p in moving.values()),
        all_weights=whole,
        averaged=buffers,
        linear=sum(_linear(module) for module in trained.values()),
        block=max(blocks, default=whole),
        muon=sum(moving[n].numel() for n in muon),
        adamw=sum(moving[n].numel() for n in adamw),
        muon_group=matrices[largest] * largest[0] * largest[1],
        muon_gram=matrices[largest] * min(largest) ** 2,
        frozen=sum(p.numel() for module in frozen.values() for p in module.parameters()),
    )


def state_bytes(
    sizes: StateSizes, trainer: TrainerConfig, layout: Layout, gpus: int, *, on_cpu: bool = False
) -> StateBytes:
    """What one of ``gpus`` devices keeps. P counts parameters, W is the number of devices.

    - weights 4 P; ZeRO-3: 4 P / W and two gathered blocks
    - casts, with autocast: bfloat16 copies of linear layers, 2 P_linear; ZeRO-3: of two blocks
    - gradients 4 P_trained; ZeRO-2 and 3: / W
    - optimiser: Muon 4 P_muon (momentum), AdamW 8 P_adamw (two moments); ZeRO-1 to 3: / W
    - averages: 4 P for each decay (float32); ZeRO-1 to 3: / W
    - frozen networks (teacher, reference) 4 P_frozen; ZeRO-3: / W
    - update: Muon takes equal matrices at once (E numbers, c = 4 bytes on a CPU, else 2): their
      updates and a stack of them, 8 E, three more in the iteration, 3 c E, and three Gram matrices;
      torch's AdamW has temporaries of 8 P_adamw. ZeRO-1 to 3: / W
    """
    states = 1.0 / gpus if layout.zero >= 1 else 1.0
    gradients = 1.0 / gpus if layout.zero >= 2 else 1.0
    sharded = layout.zero >= 3 and gpus > 1
    gathered = min(_BLOCKS_GATHERED * sizes.block, sizes.all_weights)
    casts = 2.0 * sizes.linear if trainer.autocast == "bfloat16" else 0.0
    if sharded:
        casts = min(casts, 2.0 * gathered)
    narrow = 4 if on_cpu else 2
    muon = sizes.muon_group * (8 + 3 * narrow) + 3 * narrow * sizes.muon_gram
    return StateBytes(
        weights=4.0 * (sizes.all_weights / gpus + gathered if sharded else sizes.all_weights),
        casts=casts,
        gradients=4.0 * sizes.trained * gradients,
        optimizer=(4.0 * sizes.muon + 8.0 * sizes.adamw) * states,
        averages=4.0 * sizes.averaged * len(trainer.ema.decays) * states,
        frozen=4.0 * sizes.frozen / (gpus if sharded else 1),
        update=max(muon, 8.0 * sizes.adamw) * states,
    )


def compute_type(trainer: TrainerConfig) -> Compute:
    """In what matrix products are computed."""
    return "bfloat16" if trainer.autocast == "bfloat16" else "float32"


def block_bytes(
    config: TransformerConfig,
    tokens: int,
    attention: AttentionShape,
    compute: Compute,
    modulated_runs: int,
) -> int:
    """What one block keeps of one stream for its backward pass.

    Each token: the two inputs of the norms 8 d, what they return 8 d (float32), the modulated
    inputs of qkv and MLP 2 a d, queries and keys before and after their norms (16 d; float32: 20 d
    as values lie in the same memory), what attention and MLP add 2 a d, the MLP's hidden layer
    before and after GELU 2 a h, and the norms' scales 8 + 8 K. Attention: queries and result
    2 a d and 4 K for each query row, keys and values 2 a d for each key row; where queries are
    gathered into blocks the result is copied back, a d for each token. Each run of equal
    modulation: 32 d.

    This is what torch keeps with its composite norms (the CPU's). A fused norm keeps less.
    """
    a, d, heads = _width(compute), config.width, config.heads
    hidden = int(config.mlp_ratio * d)
    token = 16 * d + 4 * a * d + (16 if a == 2 else 20) * d + 2 * a * hidden + 8 + 8 * heads
    rows = attention.queries * (2 * a * d + 4 * heads) + attention.keys * 2 * a * d
    copied = tokens * a * d if attention.gathered else 0
    return tokens * token + rows + copied + 32 * d * modulated_runs


def ends_bytes(config: TransformerConfig, pack: PackShape, compute: Compute) -> int:
    """What entry and exit keep: patches a P each, embedded conditions 4 d; the text's mean 8 d for
    each text token; the exit 12 d + a d for each target token, and with a gate of the base that and
    the gate, 4 P + a P; rotary tables 4 E for each token."""
    a, d = _width(compute), config.width
    patch = config.token_numbers
    head = d // config.heads
    conditions = pack.conditions * (4 * d + 4 * head) + pack.text * 8 * d
    entries = (pack.visual + pack.aligned + pack.target) * a * patch + pack.aligned * 4 * d
    gate = (4 + a) * patch if config.gated_base else 0
    return conditions + entries + pack.target * (12 * d + a * d + gate + 4 * head)


def saved_bytes(config: TransformerConfig, pack: PackShape, compute: Compute) -> int:
    """What autograd keeps of a whole forward pass without recomputation: all blocks of both
    streams (:func:`block_bytes`) and both ends."""
    runs = pack.samples if pack.equal_targets else pack.target
    total = ends_bytes(config, pack, compute)
    for i in range(config.depth):
        own = pack.condition_attention[i % len(pack.condition_attention)]
        both = pack.target_attention[i % len(pack.target_attention)]
        total += block_bytes(config, pack.conditions, own, compute, 1)
        total += block_bytes(config, pack.target, both, compute, runs)
    return total


def working_bytes(config: TransformerConfig, pack: PackShape, compute: Compute) -> float:
    """What a step holds beside what it keeps: the keys (and in bfloat16 qkv) of the conditions,
    which live until the forward pass ends, ``L Nc (4 d + 6 d)``; and the gradients of one block at
    work, ``N (2 a h + 16 d)``."""
    a, d = _width(compute), config.width
    hidden = int(config.mlp_ratio * d)
    cache = config.depth * pack.conditions * (4 * d + (6 * d if a == 2 else 0))
    return max(pack.conditions, pack.target) * (2 * a * hidden + 16 * d) + cache


def _width(compute: Compute) -> int:
    return 2 if compute == "bfloat16" else 4


def _linear(module: nn.Module) -> int:
    layers = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return sum(
        p.numel() for m in module.modules() if isinstance(m, layers) for p in m.parameters(False)
    )
