"""Two copies of an objective learn the same from two forms of a batch, bit for bit."""

from __future__ import annotations

from typing import Any

import torch


def assert_learned_alike(alone: Any, fed: Any, records: Any, prepared: Any, seed: int) -> None:
    """``alone`` learns from ``records`` with random numbers of ``seed``, ``fed`` from ``prepared``:
    equal losses, metrics, work and gradients of their ``model``."""
    reports = []
    for objective, batch in ((alone, records), (fed, prepared)):
        objective.model.zero_grad()
        reports.append(objective.loss(batch, torch.Generator().manual_seed(seed)))
        reports[-1].loss.backward()
    one, other = reports
    assert torch.equal(one.loss, other.loss)
    assert (one.metrics, one.num_samples, one.work) == (
        other.metrics, other.num_samples, other.work,
    )  # fmt: skip
    for ours, theirs in zip(alone.model.parameters(), fed.model.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        assert ours.grad is None or torch.equal(ours.grad, theirs.grad)
