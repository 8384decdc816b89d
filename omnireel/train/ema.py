"""Exponential moving averages of the weights, in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from omnireel.errors import IntegrityError, InvalidInput


@dataclass(frozen=True)
class EmaConfig:
    """Several averages at once; the first one is what validation and export use.

    Early on the decay is at most (1 + n) / (10 + n) after n updates, so that a short run does not
    average its random start.
    """

    decays: tuple[float, ...] = (0.999,)

    def __post_init__(self) -> None:
        for decay in self.decays:
            if not 0 < decay < 1:
                raise InvalidInput(f"an EMA decay must lie in 0 to 1: {decay}", field="ema.decays")
        if len(set(self.decays)) != len(self.decays):
            raise InvalidInput("EMA decays must differ from each other", field="ema.decays")


class Ema:
    """Shadow copies of named tensors (parameters and floating-point buffers)."""

    def __init__(self, config: EmaConfig, live: Mapping[str, Tensor]) -> None:
        self.config = config
        self.updates = 0
        self._live = {name: t for name, t in live.items() if t.is_floating_point()}
        self.shadows = {
            decay: {name: t.detach().float().clone() for name, t in self._live.items()}
            for decay in config.decays
        }

    @torch.no_grad()
    def update(self) -> None:
        """Move every shadow towards the live weights."""
        self.updates += 1
        live = [t.detach().float() for t in self._live.values()]
        for decay, shadow in self.shadows.items():
            effective = min(decay, (1 + self.updates) / (10 + self.updates))
            torch._foreach_lerp_(list(shadow.values()), live, 1.0 - effective)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """The live tensors hold the first average inside this block, and their own values after."""
        if not self.shadows:
            yield
            return
        shadow = next(iter(self.shadows.values()))
        with torch.no_grad():
            saved = {name: t.detach().clone() for name, t in self._live.items()}
            for name, t in self._live.items():
                t.copy_(shadow[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, t in self._live.items():
                    t.copy_(saved[name])

    def state_tensors(self) -> dict[str, Tensor]:
        """``"<decay>/<tensor name>" -> shadow``."""
        return {f"{d}/{n}": t for d, shadow in self.shadows.items() for n, t in shadow.items()}

    def load_state_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore :meth:`state_tensors`; :attr:`updates` is the caller's to restore.

        Raises:
            IntegrityError: the names differ from this run's.

        """
        own = self.state_tensors()
        if own.keys() != tensors.keys():
            some = sorted(own.keys() ^ tensors.keys())[:3]
            raise IntegrityError(f"the checkpoint's averages fit another model; differing: {some}")
        for name, tensor in tensors.items():
            own[name].copy_(tensor)
