"""Matching of clips, words and references by sigmoid losses.

Loss = words for clips or edits (every text judged on its own) + what an edit changed besides (told
without words) + captions within the batch + whose
portrait appears in which clip, asked in both directions. All are binary cross entropies, so scores
mean the same whatever else is in the batch (Zhai et al., "Sigmoid Loss for Language Image
Pre-Training", 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.embed.network import FOLLOWED, KEPT, MatchingNetwork
from omnireel.train.callbacks import ValidationReport
from omnireel.train.counted import PassCounter
from omnireel.train.objective import LossReport
from omnireel.train.work import Work


@dataclass(frozen=True)
class MatchingConfig:
    """Weights of the terms (words for a clip have weight 1)."""

    caption_weight: float = 0.3
    reference_weight: float = 0.6


class Pairs(Protocol):
    """What a batch holds; see `omnireel.recipes.embedder_data.EmbedderBatch`."""

    @property
    def subjects_BKF(self) -> Tensor: ...  # noqa: N802, D102 (shape legend)
    @property
    def scene_BF(self) -> Tensor: ...  # noqa: N802, D102
    @property
    def ids_BMN(self) -> Tensor: ...  # noqa: N802, D102
    @property
    def named_BMN(self) -> Tensor: ...  # noqa: N802, D102
    @property
    def labels_BM2(self) -> Tensor: ...  # noqa: N802, D102
    @property
    def source_subjects_BKF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def source_scene_BF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def change_BF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def focus_BF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def refs_BRF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def ref_keys_BR(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def clip_keys_B2(self) -> Tensor | None: ...  # noqa: N802, D102


@dataclass(frozen=True, eq=False)
class _Batch:
    """A batch where the network is."""

    subjects_BKF: Tensor
    scene_BF: Tensor
    ids_BMN: Tensor
    named_BMN: Tensor
    labels_BM2: Tensor
    source_subjects_BKF: Tensor | None
    source_scene_BF: Tensor | None
    change_BF: Tensor | None
    focus_BF: Tensor | None
    refs_BRF: Tensor | None
    ref_keys_BR: Tensor | None
    clip_keys_B2: Tensor | None

    @classmethod
    def of(cls, batch: Pairs, device: str) -> _Batch:
        moved: dict[str, Any] = {}
        for f in fields(cls):
            part = getattr(batch, f.name)
            moved[f.name] = None if part is None else part.to(device)
        return cls(**moved)

    @property
    def parts(self) -> list[Tensor | None]:
        return [getattr(self, f.name) for f in fields(self)]


@dataclass(frozen=True, eq=False)
class _Answers:
    """What the network says of a batch, and what that costs."""

    logits_BM2: Tensor
    captions: Tensor | None
    references: Tensor | None
    loss: Tensor


class Matching:
    """Trains a `MatchingNetwork`."""

    def __init__(
        self,
        network: MatchingNetwork,
        config: MatchingConfig,
        evaluate: Callable[[], ValidationReport],
        device: str = "cpu",
    ) -> None:
        """``evaluate`` scores the network as it is."""
        self.network = network.to(device)
        self.config = config
        self._evaluate, self._device = evaluate, device
        self._count = PassCounter(
            network, lambda net, *parts: _answers(net, _Batch(*parts), config).loss
        )

    def modules(self) -> Mapping[str, MatchingNetwork]:
        """The network."""
        return {"embedder": self.network}

    def loss(self, batch: Pairs, rng: torch.Generator) -> LossReport:
        """One batch of clips, or of edits."""
        del rng  # nothing is drawn
        moved = _Batch.of(batch, self._device)
        found = _answers(self.network, moved, self.config)
        labels = moved.labels_BM2
        known = labels[..., FOLLOWED] >= 0
        right = (found.logits_BM2[..., FOLLOWED] > 0) == (labels[..., FOLLOWED] > 0.5)
        name = "clip" if moved.source_scene_BF is None else "edit"
        metrics = {f"{name}_accuracy": float(right[known].float().mean())}
        terms = {"captions": found.captions, "references": found.references}
        metrics |= {n: float(term.detach()) for n, term in terms.items() if term is not None}
        work = Work(flops=self._count(*moved.parts))
        return LossReport(found.loss, metrics, len(labels), work)

    def validate(self) -> ValidationReport:
        """Whatever the recipe measures."""
        return self._evaluate()

    def state_dict(self) -> Mapping[str, Any]:
        """Nothing beyond the weights."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""


def _answers(net: MatchingNetwork, batch: _Batch, config: MatchingConfig) -> _Answers:
    tokens = net.see(batch.subjects_BKF, batch.scene_BF)
    words, there = net.hear(batch.ids_BMN)
    source = None
    if batch.source_subjects_BKF is not None and batch.source_scene_BF is not None:
        source = net.see(batch.source_subjects_BKF, batch.source_scene_BF)
    logits = net.match(words, there, tokens, source, batch.change_BF, batch.focus_BF)
    facts = net.lookup(
        batch.named_BMN, batch.subjects_BKF, batch.source_subjects_BKF, batch.change_BF,
        batch.focus_BF,
    )  # fmt: skip
    logits = torch.stack([logits[..., FOLLOWED] + facts, logits[..., KEPT]], -1)
    loss = _balanced(logits, batch.labels_BM2) + _stayed(net, batch)
    if batch.refs_BRF is None:
        return _Answers(logits, None, None, loss)
    captions = _captions(net, tokens, words, there)
    references = _references(net, batch)
    loss = loss + config.caption_weight * captions + config.reference_weight * references
    return _Answers(logits, captions, references, loss)


def _stayed(net: MatchingNetwork, batch: _Batch) -> Tensor:
    """Whether nothing else was changed, told without words; 0 for batches of clips."""
    change, focus, before = batch.change_BF, batch.focus_BF, batch.source_scene_BF
    if change is None or focus is None or before is None:
        return batch.scene_BF.new_zeros(())
    return _balanced(
        net.stayed(change, focus, (before, batch.scene_BF)), batch.labels_BM2[:, 0, KEPT]
    )


def _captions(net: MatchingNetwork, tokens: Tensor, words: Tensor, there: Tensor) -> Tensor:
    """The first text of every clip against all clips of the batch."""
    clips = net.embed_clips(tokens)
    texts = net.embed_texts(words[:, :1], there[:, :1])[:, 0]
    logits = clips @ texts.T * net.scale.exp() + net.bias
    return _balanced(logits, torch.eye(len(logits), device=logits.device))


def _references(net: MatchingNetwork, batch: _Batch) -> Tensor:
    """Portraits looked for in all clips of the batch."""
    assert batch.refs_BRF is not None
    assert batch.ref_keys_BR is not None and batch.clip_keys_B2 is not None
    wanted = net.who(batch.refs_BRF).flatten(0, 1)
    refs = batch.ref_keys_BR.flatten()
    same = (batch.clip_keys_B2[:, :, None] == refs[None, None]).any(1).float()
    return _balanced(net.appears(wanted, net.who(batch.subjects_BKF)), same)


def _balanced(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy in which true and untrue weigh the same; labels below 0 are left out."""
    each = F.binary_cross_entropy_with_logits(logits, labels.clamp(0, 1), reduction="none")
    total = logits.new_zeros(())
    for chosen in (labels > 0.5, (labels >= 0) & (labels <= 0.5)):
        total = total + (each * chosen).sum() / chosen.sum().clamp(min=1)
    return total
