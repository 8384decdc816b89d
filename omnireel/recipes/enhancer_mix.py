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
    """All capabilities of the world: text alone most often, then those whose words say most; seldom
    those that stay in the words of the user."""
    weights = dict.fromkeys(CAPABILITIES, 0.03)
    weights |= {"C20": 0.12, "C18": 0.08, "C25": 0.06}
    weights |= dict.fromkeys(("C6", "C8", "C21"), 0.07)
    weights |= dict.fromkeys(("C11", "C13", "C14"), 0.05)
    weights |= dict.fromkeys(("C5", "C10"), 0.04)
    return weights | dict.fromkeys(("C4", "C22", "C23"), 0.01)


def capability_of(mix: Mapping[str, float], seed: int) -> str:
    """The capability of example ``seed``, drawn with the relative weights of ``mix``."""
    names = sorted(mix)
    weights = np.array([mix[n] for n in names])
    rng = np.random.default_rng((0x656E68, seed))
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
