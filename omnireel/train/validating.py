"""Validate with the averaged weights, and show signs of life meanwhile.

A validation samples clips and may take minutes. It reports whenever a trained network, or a part of
one, has answered, so that one that hangs is told from one that is long.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from omnireel.train.callbacks import ValidationReport
from omnireel.train.ema import Ema
from omnireel.train.engine import Engine
from omnireel.train.objective import Objective

_APART_S = 1.0
"""Beats within a validation are at least so far apart."""


def validated(
    objective: Objective, engine: Engine, ema: Ema, beat: Callable[[], None]
) -> ValidationReport:
    """What ``objective`` reports with the averaged weights, without gradients; ``beat`` is called
    at most once a second."""
    modules = objective.modules()
    for module in modules.values():
        module.eval()
    with torch.no_grad(), ema.swapped_in(), _beating(modules, beat):
        return engine.evaluate(objective.validate)


def beyond(metrics: Mapping[str, float], limits: Mapping[str, float]) -> str:
    """Which held-out metric is above its limit, or not a number; empty where none is."""
    for name, limit in limits.items():
        if name in metrics and not metrics[name] <= limit:
            return f"held-out {name} {metrics[name]:.4g} is above {limit:g} (trainer.stop_above)"
    return ""


@contextmanager
def _beating(modules: Mapping[str, nn.Module], beat: Callable[[], None]) -> Iterator[None]:
    last = time.monotonic()

    def answered(*_: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _APART_S:
            last = now
            beat()

    with ExitStack() as hooks:
        for module in modules.values():
            for part in _not_compiled(module):
                hooks.callback(part.register_forward_hook(answered).remove)
        yield


def _not_compiled(module: nn.Module) -> Iterator[nn.Module]:
    """The module and its parts; a hook of a compiled part would be compiled as well."""
    if module._compiled_call_impl is None:
        yield module
        for child in module.children():
            yield from _not_compiled(child)
