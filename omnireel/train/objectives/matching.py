"""Matching of clips, words and references by sigmoid losses.

Loss = words for clips or edits (every text judged on its own) + captions within the batch + whose
portrait appears in which clip, asked in both directions. All are binary cross entropies, so scores
mean the same whatever else is in the batch (Zhai et al., "Sigmoid Loss for Language Image
Pre-Training", 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.embed.network import FOLLOWED, MatchingNetwork
from omnireel.train.callbacks import ValidationReport
from omnireel.train.objective import LossReport


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
    def labels_BM2(self) -> Tensor: ...  # noqa: N802, D102
    @property
    def source_subjects_BKF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def source_scene_BF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def change_BF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def refs_BRF(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def ref_keys_BR(self) -> Tensor | None: ...  # noqa: N802, D102
    @property
    def clip_keys_B2(self) -> Tensor | None: ...  # noqa: N802, D102


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

    def modules(self) -> Mapping[str, MatchingNetwork]:
        """The network."""
        return {"embedder": self.network}

    def loss(self, batch: Pairs, rng: torch.Generator) -> LossReport:
        """One batch of clips, or of edits."""
        del rng  # nothing is drawn
        net = self.network
        tokens = net.see(batch.subjects_BKF.to(self._device), batch.scene_BF.to(self._device))
        words, there = net.hear(batch.ids_BMN.to(self._device))
        source = change = None
        if batch.source_subjects_BKF is not None and batch.source_scene_BF is not None:
            before = batch.source_subjects_BKF, batch.source_scene_BF
            source = net.see(*(part.to(self._device) for part in before))
            assert batch.change_BF is not None
            change = batch.change_BF.to(self._device)
        logits = net.match(words, there, tokens, source, change)
        labels = batch.labels_BM2.to(self._device)
        loss = _balanced(logits, labels)
        known = labels[..., FOLLOWED] >= 0
        right = (logits[..., FOLLOWED] > 0) == (labels[..., FOLLOWED] > 0.5)
        name = "edit" if source is not None else "clip"
        metrics = {f"{name}_accuracy": float(right[known].float().mean())}
        if batch.refs_BRF is not None:
            captions = self._captions(tokens, words, there)
            references = self._references(batch)
            loss = loss + self.config.caption_weight * captions
            loss = loss + self.config.reference_weight * references
            metrics |= {
                "captions": float(captions.detach()),
                "references": float(references.detach()),
            }
        return LossReport(loss, metrics, len(tokens))

    def validate(self) -> ValidationReport:
        """Whatever the recipe measures."""
        return self._evaluate()

    def state_dict(self) -> Mapping[str, Any]:
        """Nothing beyond the weights."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""

    def _captions(self, tokens: Tensor, words: Tensor, there: Tensor) -> Tensor:
        """The first text of every clip against all clips of the batch."""
        net = self.network
        clips = net.embed_clips(tokens)
        texts = net.embed_texts(words[:, :1], there[:, :1])[:, 0]
        logits = clips @ texts.T * net.scale.exp() + net.bias
        return _balanced(logits, torch.eye(len(logits), device=logits.device))

    def _references(self, batch: Pairs) -> Tensor:
        """Portraits looked for in all clips of the batch."""
        net = self.network
        assert batch.refs_BRF is not None
        assert batch.ref_keys_BR is not None and batch.clip_keys_B2 is not None
        wanted = net.who(batch.refs_BRF.to(self._device)).flatten(0, 1)
        refs = batch.ref_keys_BR.to(self._device).flatten()
        shown = batch.clip_keys_B2.to(self._device)
        same = (shown[:, :, None] == refs[None, None]).any(1).float()
        return _balanced(net.appears(wanted, net.who(batch.subjects_BKF.to(self._device))), same)


def _balanced(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross entropy in which true and untrue weigh the same; labels below 0 are left out."""
    each = F.binary_cross_entropy_with_logits(logits, labels.clamp(0, 1), reduction="none")
    total = logits.new_zeros(())
    for chosen in (labels > 0.5, (labels >= 0) & (labels <= 0.5)):
        total = total + (each * chosen).sum() / chosen.sum().clamp(min=1)
    return total
