"""The transformer on packed samples as a :data:`VelocityFn` over ``x_BNP`` (targets of one shape).

Three views of one network: with gradient, without gradient (conditions are encoded once and serve
every call), and guided without gradient. Guided means: all variants of all samples' guidance chains
run in one pack, and their velocities are combined per sample. Each notes the work of its calls in a
:class:`~omnireel.train.work.Tally`.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.conditions import source_ids
from omnireel.model.sequence import PATCH, OmniSample, PackedSequence, Segment, patchify
from omnireel.model.text import TextTokens, Tokenizer
from omnireel.model.transformer import ConditionCache, OmniTransformer
from omnireel.mvl.prompt import Prompt
from omnireel.sampling.guidance import Guidance, chain
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objective import LossReport
from omnireel.train.objectives.velocity import VelocityFn
from omnireel.train.work import Tally, Work

Item = TypeVar("Item")
PackFn = Callable[[Sequence[OmniSample]], PackedSequence]
Preview = Callable[[OmniTransformer], ValidationReport]


def frozen_copy(model: OmniTransformer) -> OmniTransformer:
    """The model as it is now, without gradients: a teacher, a reference."""
    return copy.deepcopy(model).requires_grad_(False).eval()


def omni_sample(
    tokenizer: Tokenizer,
    prompt: Prompt,
    segments: tuple[Segment, ...],
    latents_CTHW: Tensor,
    patch: int = PATCH,
) -> OmniSample:
    """What the model is told about a sample whose target is ``latents_CTHW``."""
    _, t, h, w = latents_CTHW.shape
    return OmniSample(tokenizer.encode(prompt, source_ids(prompt)), segments, (t, h, w), patch)


def stack_tokens(
    latents: Sequence[Tensor], device: str | torch.device = "cpu", patch: int = PATCH
) -> Tensor:
    """Latent clips of one shape as ``tokens_BNP``.

    Raises:
        InvalidInput: no clip, or clips of several shapes.

    """
    shapes = sorted({tuple(x.shape) for x in latents})
    if len(shapes) != 1:
        raise InvalidInput(
            f"a batch needs targets of one shape, got {shapes or 'none'}; batch by format",
            field="batch",
        )
    return torch.stack([patchify(x, patch) for x in latents]).to(device)


def by_shape(
    batch: Sequence[Item],
    shape: Callable[[Item], tuple[int, ...]],
    loss: Callable[[list[Item]], LossReport],
) -> LossReport:
    """``loss`` of each group of equally shaped items, joined by :func:`joined`."""
    return joined([loss(group) for group in grouped(batch, shape)])


def grouped(batch: Sequence[Item], shape: Callable[[Item], tuple[int, ...]]) -> list[list[Item]]:
    """Equally shaped items together, in the order of their first ones."""
    groups: dict[tuple[int, ...], list[Item]] = defaultdict(list)
    for item in batch:
        groups[shape(item)].append(item)
    return list(groups.values())


def joined(reports: Sequence[LossReport]) -> LossReport:
    """One report of the parts of a batch: means weighted by samples."""
    if len(reports) == 1:
        return reports[0]
    count = sum(report.num_samples for report in reports)
    total = torch.stack([r.loss * (r.num_samples / count) for r in reports]).sum()
    work = sum((report.work for report in reports), Work())
    return LossReport(total, mean_metrics(reports), count, work)


def mean_metrics(reports: Sequence[LossReport]) -> dict[str, float]:
    """Each metric's mean over the samples of the reports that have it."""
    sums: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for report in reports:
        for name, value in report.metrics.items():
            sums[name] += value * report.num_samples
            counts[name] += report.num_samples
    return {name: total / counts[name] for name, total in sums.items()}


def tally_of(packed: PackedSequence) -> Tally:
    """For a batch whose samples are those of ``packed``."""
    return Tally(packed.sample_of_target.numel())


def trained_velocity(model: OmniTransformer, packed: PackedSequence, tally: Tally) -> VelocityFn:
    """The model's velocity with gradient; both streams run in every call."""

    def velocity(x_BNP: Tensor, t_B: Tensor) -> Tensor:
        count = tally.trained if torch.is_grad_enabled() else tally.evaluated
        count(model, packed)
        out_NP: Tensor = model(x_BNP.flatten(0, 1), t_B.to(x_BNP.device), packed)
        return out_NP.float().view(x_BNP.shape)

    return velocity


def fixed_velocity(model: OmniTransformer, packed: PackedSequence, tally: Tally) -> VelocityFn:
    """The model's velocity without gradient; valid until the model's weights change."""
    denoise = _Denoise(model, packed, tally)

    def velocity(x_BNP: Tensor, t_B: Tensor) -> Tensor:
        return denoise(x_BNP, t_B)

    return velocity


@dataclass(frozen=True, eq=False)
class GuidedPack:
    """All variants of all samples' guidance chains, in one pack."""

    packed: PackedSequence
    owner_V: Tensor
    """The sample of each variant."""
    weight_V: Tensor
    """What its velocity counts in that of the sample."""

    def to(self, device: torch.device | str) -> GuidedPack:
        """The same on ``device``."""
        return GuidedPack(self.packed.to(device), self.owner_V.to(device), self.weight_V.to(device))


def guided_pack(
    samples: Sequence[OmniSample], pack: PackFn, empty: TextTokens, guidance: Guidance
) -> GuidedPack:
    """The variants that ``guidance`` asks for."""
    chains = [chain(sample, empty, guidance) for sample in samples]
    return GuidedPack(
        pack([variant for c in chains for variant in c.variants]),
        torch.tensor([b for b, c in enumerate(chains) for _ in c.variants]),
        torch.tensor([w for c in chains for w in c.weights]),
    )


def guided_velocity(model: OmniTransformer, guided: GuidedPack, tally: Tally) -> VelocityFn:
    """The guided velocity without gradient; as many network evaluations as chains have links."""
    denoise = _Denoise(model, guided.packed, tally)

    def velocity(x_BNP: Tensor, t_B: Tensor) -> Tensor:
        owner, weight = guided.owner_V.to(x_BNP.device), guided.weight_V.to(x_BNP.device)
        each_VNP = denoise(x_BNP[owner], t_B.to(x_BNP.device)[owner])
        return torch.zeros_like(x_BNP).index_add(0, owner, each_VNP * weight[:, None, None])

    return velocity


class _Denoise:
    """Evaluations without gradient that share the condition stream."""

    def __init__(self, model: OmniTransformer, packed: PackedSequence, tally: Tally) -> None:
        self._model, self._packed, self._tally = model, packed, tally
        self._cache: ConditionCache | None = None

    @torch.no_grad()
    def __call__(self, x_BNP: Tensor, t_B: Tensor) -> Tensor:
        self._tally.evaluated(self._model, self._packed, conditions=self._cache is None)
        if self._cache is None:
            self._cache = self._model.encode_conditions(self._packed)
        x_NP, times = x_BNP.flatten(0, 1), t_B.to(x_BNP.device)
        out_NP = self._model.denoise(x_NP, times, self._packed, self._cache)
        return out_NP.float().view(x_BNP.shape)


def validation_report(
    metrics: Mapping[str, float], preview: Preview | None, model: OmniTransformer
) -> ValidationReport:
    """``metrics`` joined with what ``preview`` measures and shows."""
    report = preview(model) if preview is not None else ValidationReport({})
    return ValidationReport({**metrics, **report.metrics}, report.comparisons)
