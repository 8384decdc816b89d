"""The equations of Flow-DPO on plain tensors: errors of a pair, their reduction, and the loss.

Symbols and sources are those of :mod:`omnireel.train.objectives.flow_dpo`. Shapes: B pairs, each
with S verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from omnireel.errors import InvalidInput
from omnireel.train.objectives.velocity import VelocityFn, interpolate, times_like


@dataclass(frozen=True)
class PreferenceScale:
    """The squared error's reduction over a sample, and the beta that goes with it.

    Published pairs: ("sum", 500) and ("mean", 100 to 2000).
    """

    reduction: Literal["mean", "sum"] = "mean"
    beta: float = 500.0

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "sum"):
            raise InvalidInput(
                "reduction must be 'mean' or 'sum'", field="objective.scale.reduction"
            )
        if not self.beta > 0:
            raise InvalidInput("beta must be more than 0", field="objective.scale.beta")


@dataclass(frozen=True, eq=False)
class PairErrors:
    """Squared velocity errors of first and second samples, by comparison ``[B, S]`` (S segments of
    time, 1 for whole clips): of the trained network (with gradient) and of the reference."""

    first_BS: Tensor
    second_BS: Tensor
    reference_first_BS: Tensor
    reference_second_BS: Tensor


def flow_dpo_loss(
    errors: PairErrors, sign_BS: Tensor, scale: PreferenceScale, winner_weight: float
) -> tuple[Tensor, dict[str, float]]:
    """The loss and its metrics.

    Args:
        errors: of one batch.
        sign_BS: +1 where the first sample is preferred, -1 where the second is, 0 for a tie.
        scale: beta (the errors are reduced already).
        winner_weight: see :class:`~omnireel.train.objectives.flow_dpo.FlowDPOConfig`.

    Returns:
        The loss (0, with zero gradients, when there are ties only), and ``accuracy`` (share of
        comparisons whose implicit reward agrees), ``margin`` (of implicit rewards),
        ``winner_error``, ``loser_error`` and their change against the reference, and ``ties``.

    """
    first_BS = errors.first_BS - errors.reference_first_BS
    second_BS = errors.second_BS - errors.reference_second_BS
    decided = sign_BS != 0
    metrics = {"ties": float((~decided).float().mean())}
    if not bool(decided.any()):
        return (first_BS + second_BS).sum() * 0.0, metrics
    margin = (scale.beta / 2 * sign_BS * (second_BS - first_BS))[decided]
    first_won = (sign_BS > 0)[decided]
    winner = torch.where(first_won, errors.first_BS[decided], errors.second_BS[decided])
    loss = -F.logsigmoid(margin).mean() + winner_weight * scale.beta / 2 * winner.mean()
    with torch.no_grad():
        loser = torch.where(first_won, errors.second_BS[decided], errors.first_BS[decided])
        change_w = torch.where(first_won, first_BS[decided], second_BS[decided])
        change_l = torch.where(first_won, second_BS[decided], first_BS[decided])
        metrics |= {
            "preference_loss": float(-F.logsigmoid(margin).mean()),
            "accuracy": float((margin > 0).float().mean()),
            "margin": float(margin.mean()),
            "winner_error": float(winner.mean()),
            "loser_error": float(loser.mean()),
            "winner_error_change": float(change_w.mean()),
            "loser_error_change": float(change_l.mean()),
        }
    return loss, metrics


def squared_errors(
    velocity: VelocityFn, clean: Tensor, noise: Tensor, t_B: Tensor, even_below: float = 0.0
) -> Tensor:
    """Weighted squared velocity errors ``B...`` at ``x_t = (1 - t) clean + t noise``."""
    target = noise - clean
    weight_B = (t_B / t_B.clamp(min=max(even_below, 1e-6))).square()
    square = (velocity(interpolate(clean, noise, t_B), t_B) - target).square()
    return times_like(weight_B, square) * square


def reduce_segments(square: Tensor, reduction: Literal["mean", "sum"], segments: int = 1) -> Tensor:
    """``[B, S]``: errors of S (nearly) equal runs of axis 1 of ``square`` ``[B, T, ...]``.

    Raises:
        InvalidInput: more segments than positions on axis 1.

    """
    if segments > square.shape[1]:
        raise InvalidInput(
            f"{segments} segment verdicts for {square.shape[1]} latent frames", field="verdicts"
        )
    pieces = torch.tensor_split(square, segments, dim=1)
    reduced = [p.flatten(1).sum(1) if reduction == "sum" else p.flatten(1).mean(1) for p in pieces]
    return torch.stack(reduced, 1)
