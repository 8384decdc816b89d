"""Random numbers of a run: a seed for every step, and the global states of a checkpoint."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def step_seed(seed: int, step: int, micro: int) -> int:
    """A seed for the random numbers of one micro-batch (splitmix64 of the three numbers)."""
    mask = (1 << 64) - 1
    x = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + micro * 0x94D049BB133111EB) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return (x ^ (x >> 31)) >> 1


def random_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The global random states of torch, numpy and Python, as tensors and as JSON."""
    tensors = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        for i, state in enumerate(torch.cuda.get_rng_state_all()):
            tensors[f"cuda.{i}"] = state
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    tensors["numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    version, internal, gauss = random.getstate()
    tensors["python"] = torch.tensor(internal, dtype=torch.int64)
    return tensors, {
        "numpy": [name, position, has_gauss, cached],
        "python": [version, gauss],
    }


def restore_random_state(tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> None:
    """Restore what :func:`random_state` gave. Generators of absent GPUs are skipped."""
    torch.set_rng_state(tensors["torch"])
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        if f"cuda.{i}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda.{i}"], i)
    name, position, has_gauss, cached = data["numpy"]
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state((name, keys, position, has_gauss, cached))
    version, gauss = data["python"]
    random.setstate((version, tuple(tensors["python"].tolist()), gauss))
