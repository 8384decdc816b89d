"""Next-token cross entropy on the answers of a dialogue model.

Loss = mean over answer tokens of -log p(token | everything before it); prompt, picture and padding
tokens carry no loss. This is supervised fine-tuning as in Ouyang et al., "Training language models
to follow instructions with human feedback" (2022), section 3.5, first stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from omnireel.train.callbacks import ValidationReport
from omnireel.train.counted import dialogue_work
from omnireel.train.objective import LossReport, Stateless

IGNORED = -100


class TokenBatch(Protocol):
    """Token ids, labels (``IGNORED`` where there is no loss) and pictures."""

    @property
    def ids_BN(self) -> Tensor:  # noqa: N802 (shape legend)
        """Token ids, padded on the right."""

    @property
    def labels_BN(self) -> Tensor:  # noqa: N802 (shape legend)
        """The same ids where they are to be learnt, else ``IGNORED``."""

    @property
    def pixels_ICHW(self) -> Tensor:  # noqa: N802 (shape legend)
        """Pictures in -1..1 in the order of their tokens."""


class CrossEntropy(Stateless):
    """Trains any model with ``forward(ids, pixels) -> hidden`` and ``logits(hidden)``."""

    def __init__(
        self,
        model: nn.Module,
        *,
        evaluate: Callable[[], ValidationReport],
        device: str = "cpu",
    ) -> None:
        """``evaluate`` scores the model as it is; it belongs to the recipe, not to the loss."""
        self.model = model.to(device)
        self._evaluate = evaluate
        self._device = device

    def modules(self) -> Mapping[str, nn.Module]:
        """The language model."""
        return {"enhancer": self.model}

    def loss(self, batch: TokenBatch, rng: torch.Generator) -> LossReport:
        """One batch of sequences. Logits are computed at answer positions only."""
        del rng  # nothing is drawn
        labels = batch.labels_BN.to(self._device)[:, 1:]
        ids, pixels = batch.ids_BN.to(self._device), batch.pixels_ICHW.to(self._device)
        hidden = self.model(ids, pixels)
        learnt = labels != IGNORED
        logits = self.model.logits(hidden[:, :-1][learnt])  # type: ignore[operator]
        target = labels[learnt]
        loss = functional.cross_entropy(logits.float(), target)
        right = (logits.detach().argmax(-1) == target).float().mean()
        work = dialogue_work(self.model, ids, pixels, len(target), trained=True)
        return LossReport(loss, {"token_accuracy": float(right)}, len(labels), work)

    def validate(self) -> ValidationReport:
        """Whatever the recipe measures."""
        return self._evaluate()
