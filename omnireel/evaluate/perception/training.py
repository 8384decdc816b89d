"""The loop that fits each reader: AdamW with one rise and one long fall of the learning rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LoopConfig:
    """``passes`` over the samples; rates and decay as AdamW's."""

    passes: float
    batch_size: int = 32
    learning_rate: float = 4e-3
    weight_decay: float = 0.02
    seed: int = 0
    log_every: int = 100


def fit_loop(
    name: str,
    model: nn.Module,
    count: int,
    loss: Callable[[Indices], Tensor],
    config: LoopConfig,
    say: Callable[[str], Any] = print,
) -> None:
    """Minimise ``loss(indices of a batch)`` over ``count`` samples, in place."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    steps = max(1, int(config.passes * count / config.batch_size))
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps + 1, pct_start=0.1
    )
    order: Indices = np.concatenate(
        [rng.permutation(count) for _ in range(int(np.ceil(config.passes)) + 1)]
    )
    model.train()
    started, recent = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        value = loss(order[(step - 1) * config.batch_size : step * config.batch_size])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        recent += value.item()
        if step % config.log_every == 0 or step == steps:
            left = (time.monotonic() - started) / step * (steps - step)
            mean = recent / ((step - 1) % config.log_every + 1)
            say(f"{name}: step {step}/{steps} loss {mean:.4f}, {left:.0f} s to go")
            recent = 0.0
    model.eval()
