"""A training problem of a few hundred parameters with every kind of state that a run can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from omnireel.train import (
    Callback,
    EmaConfig,
    FeedConfig,
    LossReport,
    OptimizerConfig,
    ScheduleConfig,
    Trainer,
    TrainerConfig,
    ValidationReport,
)

CONFIG = TrainerConfig(
    num_steps=12,
    accumulate=2,
    log_every=3,
    validate_every=6,
    checkpoint_every=4,
    optimizer=OptimizerConfig(muon_lr=0.02, adamw_lr=1e-2, muon_weight_decay=0.01),
    schedule=ScheduleConfig(kind="wsd", warmup_steps=3, decay_fraction=0.5),
    ema=EmaConfig(decays=(0.9, 0.5)),
    feed=FeedConfig(workers=0),
)


class ToyData:
    """Batch ``index`` is drawn from ``index`` alone."""

    def batch(self, index: int) -> torch.Tensor:
        rng = np.random.default_rng(index)
        return torch.from_numpy(rng.standard_normal((4, 6), dtype=np.float32))


class ToyNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(6, 16)
        self.norm = nn.BatchNorm1d(16)
        self.table = nn.Parameter(torch.zeros(16))
        self.head = nn.Linear(16, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(torch.tanh(self.norm(self.hidden(x)) + self.table))
        return y


class ToyObjective:
    """Denoising with noise from the step's generator, plus draws from the global generators."""

    def __init__(self, bad_steps: tuple[int, ...] = ()) -> None:
        torch.manual_seed(7)
        self.net = ToyNet()
        self.calls = 0
        self.bad_steps = bad_steps
        self.validated: list[float] = []

    def modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.net}

    def loss(self, batch: torch.Tensor, rng: torch.Generator) -> LossReport:
        noise = torch.randn(batch.shape, generator=rng)
        # Dropout and augmentation of third parties draw from the global states.
        keep = (torch.rand(batch.shape) > 0.1).float() * float(np.random.uniform(0.9, 1.1))
        loss = (self.net(batch * keep + 0.1 * noise) - batch).square().mean()
        self.calls += 1
        if self.calls in self.bad_steps:
            loss = loss * float("nan")
        return LossReport(loss, {"noise": float(noise.mean())}, num_samples=len(batch))

    def validate(self) -> ValidationReport:
        assert not self.net.training
        value = float(self.net(torch.ones(2, 6)).mean())
        self.validated.append(value)
        return ValidationReport({"value": value})

    def state_dict(self) -> Mapping[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.calls = state["calls"]


def toy_trainer(
    run: Path,
    *callbacks: Callback,
    objective: ToyObjective | None = None,
    description: Mapping[str, Any] | None = None,
    beat: Callable[[str, int], None] = lambda phase, step: None,
    **changes: Any,
) -> Trainer:
    np.random.seed(3)
    return Trainer(
        replace(CONFIG, **changes),
        objective or ToyObjective(),
        ToyData(),
        run,
        description=description,
        callbacks=callbacks,
        beat=beat,
    )
