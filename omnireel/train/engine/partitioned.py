"""Muon and AdamW where every rank holds a part of each parameter (ZeRO stages 1 to 3).

AdamW works number by number, so on parts as on the whole (torch's own function is called). Muon
orthogonalises whole matrices: momentum is updated in parts, then all ranks gather it, and each
orthogonalises the matrices of which it has a part. In stages 1 and 2 the parts are cuts through
all parameters in a row, so the matrices are shared out that way too; in stage 3 every rank has a
slice of every matrix and orthogonalises all of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from omnireel.errors import IntegrityError
from omnireel.parallel.fragments import FlatBuffer, collect, gather_buffers
from omnireel.parallel.ranks import Rank
from omnireel.train.optim import OptimizerConfig, orthogonalise, split_parameters

_STATES = {"muon": ("momentum_buffer",), "adamw": ("exp_avg", "exp_avg_sq")}
_COUNTER = "step"


class PartitionedOptimizer(torch.optim.Optimizer):
    """What DeepSpeed calls; it puts flat buffers into the parameter groups."""

    def __init__(self, config: OptimizerConfig, named: Mapping[str, nn.Parameter]) -> None:
        self._config = config
        trainable = {n: p for n, p in named.items() if p.requires_grad}
        muon, adamw_names = split_parameters(config, trainable)
        groups: list[dict[str, Any]] = []
        for kind, lr, names in (
            ("muon", config.muon_lr, muon),
            ("adamw", config.adamw_lr, adamw_names),
        ):
            by_factor: dict[float, list[nn.Parameter]] = defaultdict(list)
            for name in names:
                by_factor[config.lr_multiplier(name)].append(trainable[name])
            groups += [
                {"params": parameters, "kind": kind, "lr": lr * factor, "base_lr": lr * factor}
                for factor, parameters in by_factor.items()
            ]
        super().__init__(groups, {})
        self.norm_limit = math.inf
        self._buffers: dict[Tensor, FlatBuffer] = {}
        self._kinds: dict[Tensor, str] = {}
        self._rank = Rank()
        self._norm: Callable[[], float] = lambda: math.nan

    def bind(
        self, rank: Rank, buffers: list[tuple[int, FlatBuffer]], norm: Callable[[], float]
    ) -> None:
        """Learn what the buffers hold, and where to ask for the gradient's norm."""
        self._rank, self._norm = rank, norm
        for number, buffer in buffers:
            flat = buffer.tensor
            kind = self.param_groups[number]["kind"]
            self._buffers[flat], self._kinds[flat] = buffer, kind
            state = {name: torch.zeros_like(flat) for name in _STATES[kind]}
            if kind == "adamw":
                state[_COUNTER] = torch.zeros(())
            self.state[flat] = state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update of the buffers that have gradients; none if the norm is beyond its limit."""
        del closure
        if not self._norm() <= self.norm_limit:
            return
        for group in self.param_groups:
            update = self._muon if group["kind"] == "muon" else self._adamw
            for flat in group["params"]:
                if flat.grad is not None:
                    update(flat, flat.grad, group["lr"])

    def set_multiplier(self, multiplier: float) -> None:
        """Use every base learning rate times ``multiplier``."""
        for group in self.param_groups:
            group["lr"] = group["base_lr"] * multiplier

    def state_tensors(self, owner: Callable[[str], int]) -> dict[str, Tensor]:
        """The whole states that this rank owns, named as in one process; all ranks call this."""
        found: dict[str, Tensor] = {}
        for flat, buffer in self._buffers.items():
            kind, state = self._kinds[flat], self.state[flat]
            for name, shape in buffer.shapes.items():
                part = buffer.fragment(name, self._rank.rank)
                for key in _STATES[kind]:
                    whole = collect(part.within(state[key]), part, shape, owner(name))
                    if whole is not None:
                        found[f"{kind}/{key}/{name}"] = whole.cpu()
                if kind == "adamw" and owner(name) == self._rank.rank:
                    found[f"{kind}/{_COUNTER}/{name}"] = state[_COUNTER].clone()
        return found

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Take this rank's parts from whole states.

        Raises:
            IntegrityError: they are those of other parameters.

        """
        # A run of one process keeps no state of a parameter before its first step.
        known = {
            f"{self._kinds[flat]}/{key}/{name}": torch.Size() if key == _COUNTER else shape
            for flat, buffer in self._buffers.items()
            for name, shape in buffer.shapes.items()
            for key in (*_STATES[self._kinds[flat]], _COUNTER)
        }
        wrong = sorted(name for name, t in tensors.items() if known.get(name) != t.shape)
        if wrong:
            raise IntegrityError(
                f"the checkpoint's optimiser state {wrong[0]} {tuple(tensors[wrong[0]].shape)} "
                "fits no parameter of this run"
            )
        for flat, buffer in self._buffers.items():
            kind, state = self._kinds[flat], self.state[flat]
            for name in buffer.shapes:
                part = buffer.fragment(name, self._rank.rank)
                for key in _STATES[kind]:
                    saved = tensors.get(f"{kind}/{key}/{name}")
                    own = part.within(state[key])
                    own.zero_() if saved is None else own.copy_(part.of(saved))
            if kind == "adamw":
                steps = [tensors.get(f"{kind}/{_COUNTER}/{n}") for n in buffer.shapes]
                state[_COUNTER].fill_(_one_count([0.0 if s is None else float(s) for s in steps]))

    def _adamw(self, flat: Tensor, gradient: Tensor, lr: float) -> None:
        state = self.state[flat]
        beta1, beta2 = self._config.adamw_betas
        adamw(
            [flat],
            [gradient],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state[_COUNTER]],
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=lr,
            weight_decay=self._config.adamw_weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def _muon(self, flat: Tensor, gradient: Tensor, lr: float) -> None:
        config, buffer = self._config, self._buffers[flat]
        momentum = self.state[flat]["momentum_buffer"]
        momentum.lerp_(gradient, 1 - config.muon_momentum)
        gathered_RN = gather_buffers(gradient.lerp(momentum, config.muon_momentum))
        by_shape: dict[torch.Size, list[str]] = defaultdict(list)
        for name, shape in buffer.shapes.items():
            if buffer.fragment(name, self._rank.rank).count:
                by_shape[shape].append(name)
        flat.mul_(1 - lr * config.muon_weight_decay)
        for names in by_shape.values():
            matrices = torch.stack([buffer.whole(gathered_RN, n).flatten(1) for n in names])
            directions = orthogonalise(
                matrices,
                config.newton_schulz_steps,
                half=config.newton_schulz_type == "bfloat16",
            )
            rows, columns = directions.shape[1:]
            scale = lr * math.sqrt(max(1.0, rows / columns))
            for name, direction in zip(names, directions, strict=True):
                part = buffer.fragment(name, self._rank.rank)
                part.within(flat).add_(part.of(direction), alpha=-scale)


def _one_count(counts: list[float]) -> float:
    """The number of updates, which all parameters of a buffer share.

    Raises:
        IntegrityError: they differ (some parameter was without gradient in some step).

    """
    if len(set(counts)) > 1:
        raise IntegrityError(
            f"parameters of this checkpoint had between {min(counts):.0f} and {max(counts):.0f} "
            "updates, which ZeRO stages 1 to 3 cannot keep apart; use --set trainer.parallel.zero=0"
        )
    return counts[0]
