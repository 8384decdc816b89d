"""Optimisers: Muon for hidden matrices, AdamW for everything else.

Muon orthogonalises the momentum of a matrix with a quintic Newton-Schulz iteration (Keller
Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024). torch's own version always
computes it in bfloat16, which is far slower than float32 on processors without bfloat16
arithmetic; here the type is a setting, and equal shapes are computed together.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from omnireel.errors import IntegrityError, InvalidInput

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_EPS = 1e-7


@dataclass(frozen=True)
class OptimizerConfig:
    """Learning rates and the split of parameters between the two optimisers.

    ``muon_lr`` 0 gives every parameter to AdamW. A parameter goes to Muon when it has at least two
    dimensions (convolution kernels count as ``[out, in * kernel]``; only with ``muon_kernels``) and
    no pattern of ``adamw_patterns`` (regular expressions) is found in its name.
    """

    muon_lr: float = 0.02
    adamw_lr: float = 1e-3
    muon_momentum: float = 0.95
    muon_weight_decay: float = 0.0
    adamw_weight_decay: float = 0.0
    adamw_betas: tuple[float, float] = (0.9, 0.98)
    newton_schulz_steps: int = 5
    newton_schulz_type: Literal["auto", "bfloat16"] = "auto"
    """auto: bfloat16 on accelerators, the gradients' own type on processors."""
    muon_kernels: bool = False
    adamw_patterns: tuple[str, ...] = (r"embed", r"table", r"(^|\.)out\.", r"shortcut")
    lr_multipliers: dict[str, float] | None = None
    """Regular expression -> factor on the learning rate of the parameters in whose name it is found
    (the product where several are): ``{"^fake\\.": 5.0}`` lets one module learn faster."""

    def __post_init__(self) -> None:
        for name in ("muon_lr", "adamw_lr", "muon_weight_decay", "adamw_weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidInput(
                    f"{name} must be 0 or more and finite", field=f"optimizer.{name}"
                )
        if not 0 <= self.muon_momentum < 1:
            raise InvalidInput(
                "muon_momentum must be 0 or more and below 1", field="optimizer.muon_momentum"
            )
        if not all(0 <= beta < 1 for beta in self.adamw_betas):
            raise InvalidInput(
                "both adamw_betas must be 0 or more and below 1", field="optimizer.adamw_betas"
            )
        if not 1 <= self.newton_schulz_steps <= 20:
            raise InvalidInput(
                "newton_schulz_steps must be 1 to 20", field="optimizer.newton_schulz_steps"
            )
        if self.newton_schulz_type not in ("auto", "bfloat16"):
            raise InvalidInput(
                "newton_schulz_type must be 'auto' or 'bfloat16'",
                field="optimizer.newton_schulz_type",
            )
        for pattern in self.adamw_patterns:
            _check_pattern(pattern, "optimizer.adamw_patterns")
        for pattern, factor in (self.lr_multipliers or {}).items():
            _check_pattern(pattern, "optimizer.lr_multipliers")
            if not 0 <= factor < math.inf:
                raise InvalidInput(
                    f"the factor of {pattern!r} must be 0 or more and finite",
                    field="optimizer.lr_multipliers",
                )

    def lr_multiplier(self, name: str) -> float:
        """The factor on the learning rate of the parameter ``name``."""
        factors = (self.lr_multipliers or {}).items()
        return math.prod(factor for pattern, factor in factors if re.search(pattern, name))


def _check_pattern(pattern: str, field_name: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise InvalidInput(
            f"{pattern!r} is not a regular expression: {error}", field=field_name
        ) from error


def orthogonalise(matrices_BMN: Tensor, steps: int, *, half: bool = False) -> Tensor:
    """Roughly ``U V^T`` of each matrix, by Newton-Schulz; singular values end near 0.7..1.2.

    Computed in bfloat16 on accelerators, and everywhere with ``half``; else in the input's type.
    """
    a, b, c = _NEWTON_SCHULZ
    half = half or matrices_BMN.device.type != "cpu"
    x = matrices_BMN.bfloat16() if half else matrices_BMN
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + _EPS)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + torch.baddbmm(b * gram, gram, gram, alpha=c) @ x
    orthogonal: Tensor = (x.mT if tall else x).to(matrices_BMN.dtype)
    return orthogonal


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, scaled by sqrt(max(1, rows / columns))."""

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        newton_schulz_steps: int = 5,
        half: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "newton_schulz_steps": newton_schulz_steps,
            "half": half,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim < 2:
                    raise ValueError(f"Muon needs matrices, got shape {tuple(parameter.shape)}")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Apply one update (``closure`` is not supported)."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            by_shape: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[tuple(parameter.shape)].append(parameter)
            for parameters in by_shape.values():
                self._update(parameters, group)

    def _update(self, parameters: list[nn.Parameter], group: Mapping[str, Any]) -> None:
        momentum, lr = group["momentum"], group["lr"]
        updates = []
        for parameter in parameters:
            gradient = parameter.grad
            assert gradient is not None
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(gradient)
            buffer = state["momentum_buffer"]
            buffer.lerp_(gradient, 1 - momentum)
            updates.append(gradient.lerp(buffer, momentum).flatten(1))
        directions = orthogonalise(
            torch.stack(updates), group["newton_schulz_steps"], half=group["half"]
        )
        rows, columns = directions.shape[1:]
        scale = lr * math.sqrt(max(1.0, rows / columns))
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.mul_(1 - lr * group["weight_decay"])
            parameter.add_(direction.view_as(parameter), alpha=-scale)


class Optimizers:
    """Muon and AdamW over one set of named parameters, saved and restored by parameter name."""

    def __init__(self, config: OptimizerConfig, named: Mapping[str, nn.Parameter]) -> None:
        trainable = {name: p for name, p in named.items() if p.requires_grad}
        if not trainable:
            raise InvalidInput("the objective has no trainable parameter", field="objective")
        self.muon_names, self.adamw_names = split_parameters(config, trainable)
        self._names: dict[Tensor, str] = {p: name for name, p in trainable.items()}
        self._all: dict[str, torch.optim.Optimizer] = {}
        if self.muon_names:
            self._all["muon"] = Muon(
                _groups(config, config.muon_lr, {n: trainable[n] for n in self.muon_names}),
                lr=config.muon_lr,
                momentum=config.muon_momentum,
                weight_decay=config.muon_weight_decay,
                newton_schulz_steps=config.newton_schulz_steps,
                half=config.newton_schulz_type == "bfloat16",
            )
        if self.adamw_names:
            self._all["adamw"] = torch.optim.AdamW(
                _groups(config, config.adamw_lr, {n: trainable[n] for n in self.adamw_names}),
                lr=config.adamw_lr,
                betas=config.adamw_betas,
                weight_decay=config.adamw_weight_decay,
            )
        self.parameters = list(trainable.values())

    def step(self, multiplier: float) -> None:
        """Update with every base learning rate times ``multiplier``."""
        for optimizer in self._all.values():
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * multiplier
            optimizer.step()

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_tensors(self) -> dict[str, Tensor]:
        """``"<optimiser>/<state>/<parameter>" -> tensor`` for everything that must be saved."""
        tensors = {}
        for key, optimizer in self._all.items():
            for parameter, state in optimizer.state.items():
                for name, value in state.items():
                    tensors[f"{key}/{name}/{self._names[parameter]}"] = torch.as_tensor(value)
        return tensors

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore :meth:`state_tensors`: what is not among them is forgotten.

        Raises:
            IntegrityError: a state fits no parameter of this run.

        """
        for optimizer in self._all.values():
            optimizer.state.clear()
        parameters = {name: parameter for parameter, name in self._names.items()}
        owner = dict.fromkeys(self.muon_names, "muon") | dict.fromkeys(self.adamw_names, "adamw")
        for full_name, tensor in tensors.items():
            key, state_name, name = full_name.split("/", 2)
            is_counter = state_name == "step"
            parameter = parameters.get(name)
            if (
                parameter is None
                or owner[name] != key
                or tensor.shape != (() if is_counter else parameter.shape)
            ):
                raise IntegrityError(
                    f"the checkpoint's optimiser state {full_name} {tuple(tensor.shape)} fits no "
                    "parameter of this run"
                )
            # AdamW keeps its counter on the CPU; moments live beside their parameter.
            value = tensor.clone() if is_counter else tensor.to(parameter.device).clone()
            self._all[key].state[parameter][state_name] = value


def _groups(
    config: OptimizerConfig, lr: float, named: Mapping[str, nn.Parameter]
) -> list[dict[str, Any]]:
    """One parameter group for each learning rate in use."""
    by_factor: dict[float, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in named.items():
        by_factor[config.lr_multiplier(name)].append(parameter)
    return [
        {"params": parameters, "lr": lr * factor, "base_lr": lr * factor}
        for factor, parameters in by_factor.items()
    ]


def split_parameters(
    config: OptimizerConfig, named: Mapping[str, nn.Parameter]
) -> tuple[list[str], list[str]]:
    """Names for Muon and names for AdamW, see :class:`OptimizerConfig`."""
    muon: list[str] = []
    adamw: list[str] = []
    for name, parameter in named.items():
        matrix = parameter.ndim == 2 or (config.muon_kernels and parameter.ndim > 2)
        listed = any(re.search(pattern, name) for pattern in config.adamw_patterns)
        (muon if config.muon_lr > 0 and matrix and not listed else adamw).append(name)
    return muon, adamw
