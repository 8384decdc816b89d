"""Matching of clips, words and references by sigmoid losses.

Loss = words for clips or edits (every text judged on its own) + what an edit changed besides (told
without words) + captions within the batch + whose
portrait appears in which clip, asked in both directions. All are binary cross entropies, so scores
mean the same whatever else is in the batch (Zhai et al., "Sigmoid Loss for Language Image
Pre-Training", 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.embed.batch import EditSights, EmbedderBatch, References
from omnireel.embed.network import FOLLOWED, KEPT, MatchingNetwork
from omnireel.train.callbacks import ValidationReport
from omnireel.train.counted import PassCounter
from omnireel.train.objective import LossReport, Stateless
from omnireel.train.work import Work


@dataclass(frozen=True)
class MatchingConfig:
    """Weights of the terms (words for a clip have weight 1)."""

    caption_weight: float = 0.3
    reference_weight: float = 0.6


@dataclass(frozen=True, eq=False)
class _Answers:
    """What the network says of a batch, and what that costs."""

    logits_BM2: Tensor
    captions: Tensor | None
    references: Tensor | None
    loss: Tensor


class Matching(Stateless):
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
            network, lambda net, *parts: _answers(net, EmbedderBatch.of_tensors(parts), config).loss
        )

    def modules(self) -> Mapping[str, MatchingNetwork]:
        """The network."""
        return {"embedder": self.network}

    def loss(self, batch: EmbedderBatch, rng: torch.Generator) -> LossReport:
        """One batch of clips, or of edits."""
        del rng  # nothing is drawn
        moved = batch.to(self._device)
        found = _answers(self.network, moved, self.config)
        labels = moved.labels_BM2
        known = labels[..., FOLLOWED] >= 0
        right = (found.logits_BM2[..., FOLLOWED] > 0) == (labels[..., FOLLOWED] > 0.5)
        name = "clip" if moved.edit is None else "edit"
        metrics = {f"{name}_accuracy": float(right[known].float().mean())}
        terms = {"captions": found.captions, "references": found.references}
        metrics |= {n: float(term.detach()) for n, term in terms.items() if term is not None}
        work = Work(flops=self._count(*moved.tensors()))
        return LossReport(found.loss, metrics, len(labels), work)

    def validate(self) -> ValidationReport:
        """Whatever the recipe measures."""
        return self._evaluate()


def _answers(net: MatchingNetwork, batch: EmbedderBatch, config: MatchingConfig) -> _Answers:
    tokens = net.see(batch.subjects_BKF, batch.scene_BF)
    words, there = net.hear(batch.ids_BMN)
    edit = batch.edit
    if edit is None:
        logits = net.match(words, there, tokens)
        facts = net.lookup(batch.named_BMN, batch.subjects_BKF)
    else:
        source = net.see(edit.subjects_BKF, edit.scene_BF)
        differs = (edit.change_BF, edit.focus_BF)
        logits = net.match(words, there, tokens, source, *differs)
        facts = net.lookup(batch.named_BMN, batch.subjects_BKF, edit.subjects_BKF, *differs)
    logits = torch.stack([logits[..., FOLLOWED] + facts, logits[..., KEPT]], -1)
    loss = _balanced(logits, batch.labels_BM2)
    if edit is not None:
        loss = loss + _stayed(net, edit, batch)
    if batch.references is None:
        return _Answers(logits, None, None, loss)
    captions = _captions(net, tokens, words, there)
    references = _references(net, batch.references, batch.subjects_BKF)
    loss = loss + config.caption_weight * captions + config.reference_weight * references
    return _Answers(logits, captions, references, loss)


def _stayed(net: MatchingNetwork, edit: EditSights, batch: EmbedderBatch) -> Tensor:
    """Whether nothing else was changed, told without words."""
    scenes = (edit.scene_BF, batch.scene_BF)
    logits_B = net.stayed(edit.change_BF, edit.focus_BF, scenes)
    return _balanced(logits_B, batch.labels_BM2[:, 0, KEPT])


def _captions(net: MatchingNetwork, tokens: Tensor, words: Tensor, there: Tensor) -> Tensor:
    """The first text of every clip against all clips of the batch."""
    clips = net.embed_clips(tokens)
    texts = net.embed_texts(words[:, :1], there[:, :1])[:, 0]
    logits = clips @ texts.T * net.scale.exp() + net.bias
    return _balanced(logits, torch.eye(len(logits), device=logits.device))


def _references(net: MatchingNetwork, references: References, subjects_BKF: Tensor) -> Tensor:
    """Portraits looked for in all clips of the batch."""
    wanted = net.who(references.subjects_BRF).flatten(0, 1)
    keys = references.keys_BR.flatten()
    same = (references.clip_keys_B2[:, :, None] == keys[None, None]).any(1).float()
    return _balanced(net.appears(wanted, net.who(subjects_BKF)), same)


def _balanced(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy in which true and untrue weigh the same; labels below 0 are left out."""
    each = F.binary_cross_entropy_with_logits(logits, labels.clamp(0, 1), reduction="none")
    total = logits.new_zeros(())
    for chosen in (labels > 0.5, (labels >= 0) & (labels <= 0.5)):
        total = total + (each * chosen).sum() / chosen.sum().clamp(min=1)
    return total
