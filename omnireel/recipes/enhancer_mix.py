"""How often each capability is taught to the tiny enhancer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from omnireel.world.tasks import CAPABILITIES


def default_mix() -> dict[str, float]:
    """How often each capability is taught: mostly text alone, and first frames."""
    return {
        "C1": 0.06, "C2": 0.04, "C3": 0.04, "C4": 0.04, "C5": 0.04, "C6": 0.04, "C7": 0.03,
        "C8": 0.06, "C12": 0.03, "C16": 0.05, "C17": 0.05, "C18": 0.14, "C19": 0.04, "C20": 0.34,
    }  # fmt: skip


def full_mix() -> dict[str, float]:
    """All capabilities of the world: those of `default_mix`, and the others for a third."""
    known = default_mix()
    others = [name for name in CAPABILITIES if name not in known]
    total = sum(known.values())
    puzzles = 0.08  # nobody but the enhancer can solve them
    rest = {name: 0.25 / (len(others) - 1) for name in others if name != "C23"}
    return {n: 0.67 * w / total for n, w in known.items()} | rest | {"C23": puzzles}


def capability_of(mix: Mapping[str, float], seed: int) -> str:
    """The capability of example ``seed``, drawn with the relative weights of ``mix``."""
    names = sorted(mix)
    weights = np.array([mix[n] for n in names])
    rng = np.random.default_rng((0x656E68, seed))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
