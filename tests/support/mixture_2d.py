"""Gaussian mixtures in the plane: flow-matching problems whose velocity is known in closed form."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from omnireel.train.objectives.velocity import VelocityFn, roll_out
from omnireel.train.optim import OptimizerConfig, Optimizers

MODES = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])


class Mixture:
    """Equal-width Gaussians; ``velocity`` is the exact conditional mean of eps - x0."""

    def __init__(self, means: Tensor, weights: Tensor | None = None, std: float = 0.3) -> None:
        self.means, self.std = means, std
        self.weights = torch.full((len(means),), 1 / len(means)) if weights is None else weights

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        t = t[:, None]
        variance = (1 - t).square() * self.std**2 + t.square()
        offset = x[:, None] - (1 - t)[..., None] * self.means
        logits = self.weights.log() - offset.square().sum(-1) / (2 * variance)
        clean = self.means + ((1 - t) * self.std**2 / variance)[..., None] * offset
        noise = (t / variance)[..., None] * offset
        return (logits.softmax(1)[..., None] * (noise - clean)).sum(1)

    def sample(self, count: int, rng: torch.Generator) -> Tensor:
        which = torch.multinomial(self.weights, count, replacement=True, generator=rng)
        return self.means[which] + self.std * torch.randn(count, 2, generator=rng)


class Field(nn.Module):
    """A base velocity plus a small network that starts at zero: an exactly pretrained model."""

    def __init__(self, base: VelocityFn, hidden: int = 64, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.base = base
        self.net = nn.Sequential(
            nn.Linear(2 + 8, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, 2),
        )  # fmt: skip
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = t[:, None] * torch.tensor([1.0, 2.0, 4.0, 8.0])
        change: Tensor = self.net(torch.cat([x, angles.sin(), angles.cos()], 1))
        return self.base(x, t) + change


def train(
    modules: dict[str, nn.Module],
    loss: Callable[[torch.Generator], Tensor],
    num_steps: int,
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.98),
    lr_multipliers: dict[str, float] | None = None,
) -> None:
    """AdamW with a linear decay of the learning rate, seeds fixed."""
    named = {f"{m}.{n}": p for m, module in modules.items() for n, p in module.named_parameters()}
    config = OptimizerConfig(
        muon_lr=0.0, adamw_lr=lr, adamw_betas=betas, lr_multipliers=lr_multipliers or {}
    )
    optimizers = Optimizers(config, named)
    rng = torch.Generator().manual_seed(1)
    for step in range(num_steps):
        optimizers.zero_grad()
        loss(rng).backward()
        optimizers.step(1 - step / num_steps)


@torch.no_grad()
def generate(velocity: VelocityFn, sigmas: Tensor, count: int = 400, seed: int = 11) -> Tensor:
    """End points of ``count`` Euler trajectories from Gaussian noise."""
    noise = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    return roll_out(velocity, noise, sigmas)[-1]


def energy_distance(distances: Tensor, first: Tensor) -> float:
    """Szekely and Rizzo's statistic from pooled pairwise distances; ``first`` marks sample one."""
    a, b = first.float() / first.sum(), (~first).float() / (~first).sum()
    return float(2 * a @ distances @ b - a @ distances @ a - b @ distances @ b)


def same_distribution(x: Tensor, y: Tensor, level: float = 0.01, permutations: int = 300) -> bool:
    """Whether a permutation test of the energy distance keeps "equal" at ``level``."""
    pooled = torch.cat([x, y])
    distances = torch.cdist(pooled, pooled)
    first = torch.arange(len(pooled)) < len(x)
    rng = torch.Generator().manual_seed(3)
    by_chance = torch.tensor(
        [
            energy_distance(distances, first[torch.randperm(len(pooled), generator=rng)])
            for _ in range(permutations)
        ]
    )
    return energy_distance(distances, first) <= float(by_chance.quantile(1 - level))
