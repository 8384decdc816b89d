"""Low-rank adapters (LoRA, Hu et al., arXiv 2106.09685): ``y = W x + b + (alpha / r) B A x``.

:func:`add_lora` exchanges chosen ``nn.Linear`` children for :class:`LoraLinear`, which keeps the
layer's own parameters under their own names, so a state of the bare network still fits beside the
adapter's ``lora_A.weight`` and ``lora_B.weight``. B starts at zero: an untrained adapter changes
nothing. :func:`merge_lora` folds the product into W and gives plain layers back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.errors import FailedPrecondition, InvalidInput

_PART = re.compile(r"\.lora_[AB]\.weight$")


@dataclass(frozen=True)
class LoraConfig:
    """Which layers are adapted, and how. The output is scaled by ``alpha / rank``."""

    rank: int = 64
    alpha: float = 128.0
    targets: tuple[str, ...] = (r"attention\.(qkv|out)$",)
    """Regular expressions; a linear layer is adapted when one is found in its name."""

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InvalidInput("rank must be 1 or more", field="lora.rank")
        if not self.alpha > 0:
            raise InvalidInput("alpha must be more than 0", field="lora.alpha")
        for pattern in self.targets:
            try:
                re.compile(pattern)
            except re.error as error:
                raise InvalidInput(
                    f"{pattern!r} is not a regular expression: {error}", field="lora.targets"
                ) from error


class LoraLinear(nn.Linear):
    """A linear layer with a low-rank change beside it; ``enabled`` switches the change."""

    def __init__(self, base: nn.Linear, config: LoraConfig) -> None:
        """Takes over the parameters of ``base`` (no copy)."""
        super().__init__(
            base.in_features, base.out_features, bias=base.bias is not None, device="meta"
        )
        self.weight, self.bias = base.weight, base.bias
        here = {"device": base.weight.device, "dtype": base.weight.dtype}
        self.lora_A = nn.Linear(base.in_features, config.rank, bias=False, **here)
        self.lora_B = nn.Linear(config.rank, base.out_features, bias=False, **here)
        nn.init.kaiming_uniform_(self.lora_A.weight, a=math.sqrt(5))
        nn.init.zeros_(self.lora_B.weight)
        self.scale = config.alpha / config.rank
        self.enabled = True

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output with the change, or without while it is disabled."""
        out = F.linear(x, self.weight, self.bias)
        if not self.enabled:
            return out
        change: Tensor = self.lora_B(self.lora_A(x))
        return out + self.scale * change

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """A plain layer ``W + scale * B A`` with new weights."""
        plain = nn.Linear(
            self.in_features, self.out_features, bias=self.bias is not None, device="meta"
        )
        change = self.lora_B.weight.float() @ self.lora_A.weight.float()
        weight = (self.weight.float() + self.scale * change).to(self.weight.dtype)
        plain.weight = nn.Parameter(weight, requires_grad=self.weight.requires_grad)
        plain.bias = self.bias
        return plain


def add_lora(module: nn.Module, config: LoraConfig) -> tuple[str, ...]:
    """Adapt the layers that ``config.targets`` names, freeze all else, and return their names.

    Fresh A matrices come from torch's global generator.

    Raises:
        InvalidInput: no linear layer has such a name.
        FailedPrecondition: the module has adapters already.

    """
    if has_lora(module):
        raise FailedPrecondition("the module has adapters already; merge them first")
    chosen = [
        name
        for name, child in module.named_modules()
        if isinstance(child, nn.Linear) and any(re.search(p, name) for p in config.targets)
    ]
    if not chosen:
        raise InvalidInput(
            f"no linear layer is named like {', '.join(config.targets) or 'nothing'}",
            field="lora.targets",
        )
    module.requires_grad_(False)
    for name in chosen:
        base = module.get_submodule(name)
        assert isinstance(base, nn.Linear)
        _exchange(module, name, LoraLinear(base, config))
    return tuple(chosen)


def merge_lora(module: nn.Module) -> nn.Module:
    """Fold all adapters into their layers (in place) and return ``module``."""
    for name, layer in _layers(module).items():
        _exchange(module, name, layer.merged())
    return module


def has_lora(module: nn.Module) -> bool:
    """Whether any layer is adapted."""
    return bool(_layers(module))


@contextmanager
def lora_disabled(module: nn.Module) -> Iterator[None]:
    """Inside this block the module computes what it did without adapters."""
    layers = _layers(module).values()
    before = [layer.enabled for layer in layers]
    for layer in layers:
        layer.enabled = False
    try:
        yield
    finally:
        for layer, enabled in zip(layers, before, strict=True):
            layer.enabled = enabled


def lora_state(module: nn.Module) -> dict[str, Tensor]:
    """``"<layer>.lora_A.weight"`` and ``..lora_B.weight`` of every adapted layer (not copies)."""
    return {n: t for n, t in module.state_dict(keep_vars=True).items() if _PART.search(n)}


def load_lora_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy an adapter's tensors into a module that :func:`add_lora` prepared.

    Raises:
        InvalidInput: names or shapes belong to another adapter; some are named.

    """
    own = lora_state(module)
    wrong = sorted(own.keys() ^ state.keys()) or [
        f"{name} {tuple(state[name].shape)} -> {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if state[name].shape != tensor.shape
    ]
    if wrong or not own:
        raise InvalidInput(
            f"the adapter fits another network ({', '.join(wrong[:3]) or 'no adapted layer'}); "
            "rank and targets must equal the adapter's config",
            field="lora",
        )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


def _layers(module: nn.Module) -> dict[str, LoraLinear]:
    return {n: m for n, m in module.named_modules() if isinstance(m, LoraLinear)}


def _exchange(module: nn.Module, name: str, layer: nn.Linear) -> None:
    parent, _, child = name.rpartition(".")
    setattr(module.get_submodule(parent), child, layer)
