"""What shows early that a distilled student leaves the teacher: read by ``trainer.bands``.

All are relative to data, so 1 means "as in the data" for spread and motion: a saturation that
climbs is the burnt look of too much guidance, motion or diversity that falls is a student that
makes one still thing of everything.
"""

from __future__ import annotations

from torch import Tensor

_TINY = 1e-6


def likeness(made_BNP: Tensor, data_BNP: Tensor, frames: int) -> dict[str, float]:
    """``saturation`` (spread of values) and, for clips, ``motion`` (change between frames)."""
    numbers = {"saturation": _rms(made_BNP) / _rms(data_BNP)}
    if frames > 1:
        numbers["motion"] = _change(made_BNP, frames) / _change(data_BNP, frames)
    return numbers


def diversity(one_BNP: Tensor, other_BNP: Tensor, data_BNP: Tensor) -> float:
    """Spread between samples for the same prompts from two noises, over the data's own spread."""
    return _rms(one_BNP - other_BNP) / _rms(data_BNP)


def gap_by_step(gap_B: Tensor, step_B: Tensor) -> dict[str, float]:
    """The real-fake ``gap`` over all samples and ``gap_step_<n>`` for each step 1.. of the student
    that the batch holds."""
    values, steps = gap_B.detach().cpu(), step_B.cpu()
    numbers = {"gap": float(values.mean())}
    for step in sorted(set(steps.tolist())):
        numbers[f"gap_step_{step + 1}"] = float(values[steps == step].mean())
    return numbers


def _rms(x: Tensor) -> float:
    return max(float(x.detach().square().mean().sqrt()), _TINY)


def _change(x_BNP: Tensor, frames: int) -> float:
    x_BTE = x_BNP.detach().reshape(len(x_BNP), frames, -1)
    return max(float(x_BTE.diff(dim=1).abs().mean()), _TINY)
