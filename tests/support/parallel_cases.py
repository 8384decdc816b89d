"""What ranks do in tests of sequence parallelism; importable by the processes they are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from omnireel.model.attention import AttentionLayout
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import OmniSample, PackedSequence, Segment, pack
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.parallel import build_mesh, share_sequences
from omnireel.parallel.exchange import all_to_all
from omnireel.parallel.mesh import Mesh
from omnireel.types import Role
from tests.support.tiny_models import latents, mixed_samples, noise_tokens, text


def four_heads(seed: int = 0, depth: int = 2) -> OmniTransformer:
    """A transformer with four heads whose every parameter matters."""
    torch.manual_seed(seed)
    config = TransformerConfig(
        width=64,
        depth=depth,
        heads=4,
        latent_channels=4,
        vocabulary_size=50,
        rotary=RotaryConfig(head_width=16, time_pairs=4),
    )
    model = OmniTransformer(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def equal_samples() -> list[OmniSample]:
    """Two targets of one shape, one of them an edit of a source."""
    source = Segment(latents(3, 4, 6, 5), Role.SOURCE, 1)
    return [
        OmniSample(text(3, 4), (), (3, 4, 6)),
        OmniSample(text(5, mention=1), (source,), (3, 4, 6)),
    ]


def text_only_samples() -> list[OmniSample]:
    return [OmniSample(text(3, 4, 5), (), (2, 4, 6))]


def windowed(packed: PackedSequence) -> PackedSequence:
    """Every other layer attends within halves of the targets only."""
    count, first = packed.sample_of_target.numel(), packed.num_conditions
    halves = [torch.arange(0, count // 2), torch.arange(count // 2, count)]
    keys = [torch.cat([torch.arange(first), h + first]) for h in halves]
    return replace(
        packed, target_layouts=(*packed.target_layouts, AttentionLayout.build(halves, keys))
    )


PACKS = {
    "mixed": lambda: pack(mixed_samples()),
    "equal": lambda: pack(equal_samples()),
    "text": lambda: pack(text_only_samples()),
    "windows": lambda: windowed(pack(mixed_samples()[1:2])),
}
SAMPLES = {
    "mixed": mixed_samples,
    "equal": equal_samples,
    "text": text_only_samples,
    "windows": lambda: mixed_samples()[1:2],
}


@dataclass(frozen=True)
class Case:
    """One forward and backward pass: which pack, over how many ranks, on nodes of which size."""

    samples: str
    degree: int
    ranks_per_node: int | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    velocity_NP: Tensor
    gradients: dict[str, Tensor]
    """Of this rank only."""


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in model.named_parameters()
    }


def loss_of(velocity_NP: Tensor) -> Tensor:
    weights = torch.linspace(0.5, 2.0, velocity_NP.numel()).view_as(velocity_NP)
    return (velocity_NP * weights).square().mean()


def plain(samples: str) -> Outcome:
    """The same on one process, with the transformer itself."""
    model = four_heads()
    packed = PACKS[samples]()
    noisy = noise_tokens(SAMPLES[samples]())
    velocity = model(noisy, times(packed), packed)
    loss_of(velocity).backward()  # type: ignore[no-untyped-call]
    return Outcome(velocity.detach(), gradients_of(model))


def times(packed: PackedSequence) -> Tensor:
    return torch.linspace(0.2, 0.9, len(packed.target_shapes))


def shared(cases: list[Case]) -> list[Outcome]:
    """Runs on every rank."""
    meshes: dict[int | None, Mesh] = {}
    outcomes = []
    for case in cases:
        if case.ranks_per_node not in meshes:
            meshes[case.ranks_per_node] = build_mesh((2, 4), ranks_per_node=case.ranks_per_node)
        group = meshes[case.ranks_per_node].group(case.degree)
        model = four_heads()
        share_sequences(model, group)
        packed = PACKS[case.samples]()
        velocity = model(noise_tokens(SAMPLES[case.samples]()), times(packed), packed)
        loss_of(velocity).backward()  # type: ignore[no-untyped-call]
        outcomes.append(Outcome(velocity.detach(), gradients_of(model)))
    return outcomes


def exchanged() -> dict[str, Tensor]:
    """One all-to-all in one and in two tiers, and its gradient."""
    found = {}
    for name, node in (("one", None), ("two", 2)):
        group = build_mesh((4,), ranks_per_node=node).group(4)
        assert (group.inside is None) == (name == "one")
        x = (100 * group.rank + torch.arange(4.0))[:, None].requires_grad_()
        y = all_to_all(x, group)
        (y * (1 + group.rank)).sum().backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        found[name], found[f"{name} gradient"] = y.detach(), x.grad
    return found
