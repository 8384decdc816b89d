"""Group-relative policy optimisation (GRPO) of a model that writes tokens.

Shao et al., "DeepSeekMath" (arXiv 2402.03300), equations 3 and 4. For each prompt q the policy pi
writes a group of G completions o_1 .. o_G, and a reward r_i judges each as a whole::

    A_i    = r_i - mean(r_1 .. r_G)
    rho_it = pi(o_it | q, o_i<t) / pi_old(o_it | q, o_i<t)
    k_it   = pi_ref / pi - log(pi_ref / pi) - 1                     (of the same token)
    L      = -1 / (G length) sum_i sum_t [ min(rho_it A_i, clip(rho_it, 1 - eps, 1 + eps) A_i)
                                           - beta k_it ],           mean over prompts

- Only the group says what is good for a prompt, so no value network is needed. A group whose
  rewards are all equal teaches nothing.
- The paper divides A_i by the group's standard deviation and each sum by the completion's own
  length. Both bias the gradient: towards prompts that are nearly solved or nearly hopeless, and
  towards long wrong answers (Liu et al., "Dr. GRPO", arXiv 2503.20783). Neither is done here;
  ``length`` is one constant for all completions.
- pi_old wrote the completions. The first update on them has rho = 1; the clip counts from the
  second on.
- k is the estimator of KL(pi || pi_ref) that is never negative; pi_ref is a frozen copy of the
  supervised model.
- Completions are drawn at temperature 1: otherwise pi_old would not be the policy that wrote them.

Shapes: B = Q prompts x G completions (a prompt's completions lie side by side), N tokens, K tokens
that the policy chose, of all completions; V words of the vocabulary, I pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.train.callbacks import ValidationReport
from omnireel.train.counted import dialogue_work
from omnireel.train.objective import LossReport
from omnireel.train.work import Work


@dataclass(frozen=True)
class GroupRelativeConfig:
    """Completions per prompt, how far one rollout may move the policy, and what holds it back."""

    group: int = 8
    clip: float = 0.2
    """eps: ratios beyond 1 +- this gain nothing more."""
    kl_weight: float = 0.04
    """beta: what a nat of distance from the reference costs per token, in units of reward."""
    length: int = 64
    """Tokens by which every completion's sum is divided, whatever its own length."""

    def __post_init__(self) -> None:
        if self.group < 2:
            raise InvalidInput("a group needs 2 completions or more", field="objective.group")
        if not 0 < self.clip < 1:
            raise InvalidInput("clip must be between 0 and 1", field="objective.clip")
        if not self.kl_weight >= 0:
            raise InvalidInput("kl_weight must not be negative", field="objective.kl_weight")
        if self.length < 1:
            raise InvalidInput("length must be 1 or more", field="objective.length")


class PromptBatch(Protocol):
    """Prompts to write for. Batches of the same ``rollout`` number hold the same prompts: their
    completions are written once and then trained on again."""

    @property
    def rollout(self) -> int:
        """Number of the rollout."""

    @property
    def pixels_ICHW(self) -> Tensor:  # noqa: N802 (shape legend)
        """Pictures of all completions in the order of their tokens."""


@dataclass(frozen=True, eq=False)
class Rollout:
    """Judged completions: ``ids_BN`` is prompt and completion, padded anywhere that ``chosen_BN``
    is False; True marks the tokens that the policy chose."""

    ids_BN: Tensor
    chosen_BN: Tensor
    rewards_B: Tensor
    terms: Mapping[str, float] = field(default_factory=dict)
    """What the rewards are made of, on average; only for the log."""


RolloutFn = Callable[[Any, int, torch.Generator], Rollout]
"""(batch, group, rng) -> the policy as it is now writes ``group`` completions for each prompt."""


@dataclass(frozen=True, eq=False)
class TokenOdds:
    """Log-probabilities ``[K]`` of the chosen tokens: now (with gradient), when they were written,
    and under the reference."""

    now_K: Tensor
    old_K: Tensor
    reference_K: Tensor


def group_advantages(rewards_B: Tensor, group: int) -> Tensor:
    """Rewards relative to the mean of their group, ``[B]``."""
    rewards_QG = rewards_B.reshape(-1, group)
    return (rewards_QG - rewards_QG.mean(1, keepdim=True)).flatten()


def group_relative_loss(
    odds: TokenOdds, advantages_K: Tensor, completions: int, config: GroupRelativeConfig
) -> tuple[Tensor, dict[str, float]]:
    """Loss and metrics over the tokens of ``completions`` completions.

    Args:
        odds: of every chosen token.
        advantages_K: of the completion that the token is part of.
        completions: how many there are.
        config: clip, distance and length.

    """
    ratio = (odds.now_K - odds.old_K).exp()
    bounded = ratio.clamp(1.0 - config.clip, 1.0 + config.clip)
    gain = torch.minimum(ratio * advantages_K, bounded * advantages_K)
    gap = odds.reference_K - odds.now_K
    distance = gap.exp() - gap - 1.0
    loss = (config.kl_weight * distance - gain).sum() / (completions * config.length)
    clipped = (bounded * advantages_K < ratio * advantages_K).float()
    return loss, {
        "kl": float(distance.detach().mean()),
        "clipped": float(clipped.mean()),
    }


@dataclass(frozen=True, eq=False)
class _Live:
    """The rollout that is being trained on."""

    number: int
    rollout: Rollout
    old_K: Tensor
    reference_K: Tensor


class GroupRelativePolicy:
    """Trains any model with ``forward(ids, pixels) -> hidden`` and ``logits(hidden)``."""

    def __init__(
        self,
        model: nn.Module,
        reference: nn.Module,
        rollout: RolloutFn,
        config: GroupRelativeConfig,
        *,
        evaluate: Callable[[], ValidationReport],
        device: str = "cpu",
    ) -> None:
        """``rollout`` writes with ``model`` and judges; ``evaluate`` scores it as it is. Both
        belong to the recipe. ``reference`` is frozen here."""
        self.model = model.to(device)
        self.reference = reference.to(device).requires_grad_(False).eval()
        self._rollout = rollout
        self._config = config
        self._evaluate = evaluate
        self._device = device
        self._live: _Live | None = None

    def modules(self) -> Mapping[str, nn.Module]:
        """The policy; the reference is not trained and not saved."""
        return {"enhancer": self.model}

    def loss(self, batch: PromptBatch, rng: torch.Generator) -> LossReport:
        """One update on a batch of prompts, whose completions are written when they are new."""
        live = self._live
        fresh = live is None or live.number != batch.rollout
        rollout = self._write(batch, rng) if live is None or fresh else live.rollout
        now_K = self._log_probs(self.model, rollout, batch.pixels_ICHW)
        if live is None or fresh:
            with torch.no_grad():
                reference_K = self._log_probs(self.reference, rollout, batch.pixels_ICHW)
            live = self._live = _Live(batch.rollout, rollout, now_K.detach(), reference_K)
        group = self._config.group
        advantages_B = group_advantages(rollout.rewards_B, group).to(now_K.device)
        rows_K = rollout.chosen_BN[:, 1:].nonzero()[:, 0].to(now_K.device)
        odds = TokenOdds(now_K, live.old_K, live.reference_K)
        completions = len(rollout.rewards_B)
        loss, metrics = group_relative_loss(odds, advantages_B[rows_K], completions, self._config)
        spread_Q = rollout.rewards_B.reshape(-1, group).std(1, correction=0)
        metrics |= {
            "reward": float(rollout.rewards_B.mean()),
            "reward_spread": float(spread_Q.mean()),
            "even_groups": float((spread_Q < 1e-6).float().mean()),
            "tokens": len(rows_K) / completions,
            **rollout.terms,
        }
        work = self._work(self.model, rollout, batch, trained=True)
        if fresh:
            for network in (self.model, self.reference):
                work += self._work(network, rollout, batch, trained=False)
        return LossReport(loss, metrics, completions, work)

    def validate(self) -> ValidationReport:
        """Whatever the recipe measures."""
        return self._evaluate()

    def state_dict(self) -> Mapping[str, Any]:
        """The rollout that is being trained on: a resumed run may be in the middle of it."""
        if self._live is None:
            return {}
        live = self._live
        return {
            "number": live.number,
            "ids": live.rollout.ids_BN.tolist(),
            "chosen": live.rollout.chosen_BN.int().tolist(),
            "rewards": live.rollout.rewards_B.tolist(),
            "terms": dict(live.rollout.terms),
            "old": live.old_K.tolist(),
            "reference": live.reference_K.tolist(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with that rollout."""
        if not state:
            self._live = None
            return
        rollout = Rollout(
            torch.tensor(state["ids"]),
            torch.tensor(state["chosen"], dtype=torch.bool),
            torch.tensor(state["rewards"], dtype=torch.float32),
            dict(state["terms"]),
        )
        old_K, reference_K = (
            torch.tensor(state[k], dtype=torch.float32, device=self._device)
            for k in ("old", "reference")
        )
        self._live = _Live(int(state["number"]), rollout, old_K, reference_K)

    def _work(
        self, model: nn.Module, rollout: Rollout, batch: PromptBatch, *, trained: bool
    ) -> Work:
        """A pass over everything that was written; writing itself, token after token with a cache,
        is one without gradient."""
        read = int(rollout.chosen_BN[:, 1:].sum())
        return dialogue_work(model, rollout.ids_BN, batch.pixels_ICHW, read, trained=trained)

    @torch.no_grad()
    def _write(self, batch: PromptBatch, rng: torch.Generator) -> Rollout:
        # One token after the other gains nothing from autocast; and some releases of torch keep
        # weights that autocast converted without gradient, for the training pass too.
        with torch.autocast(torch.device(self._device).type, enabled=False):
            return self._rollout(batch, self._config.group, rng)

    def _log_probs(self, model: nn.Module, rollout: Rollout, pixels_ICHW: Tensor) -> Tensor:
        """Log-probabilities ``[K]`` of the chosen tokens, row after row."""
        ids_BN = rollout.ids_BN.to(self._device)
        hidden_BND = model(ids_BN, pixels_ICHW.to(self._device))
        chosen = rollout.chosen_BN[:, 1:].to(self._device)
        scores_KV = model.logits(hidden_BND[:, :-1][chosen]).float().log_softmax(-1)  # type: ignore[operator]
        log_probs_K: Tensor = scores_KV.gather(-1, ids_BN[:, 1:][chosen][:, None])[:, 0]
        return log_probs_K
