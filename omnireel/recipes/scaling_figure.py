"""What a scaling study says, as one figure: held-out loss and score against compute, by size.

The line is ``loss = a * compute^-b`` through the points that no cheaper point beats, by least
squares of the logarithms. A floor under the loss would need more points than such a study has, so
read the line as a trend within and a little beyond the range that was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.recipes.figures import DPI, intervals, legend_below, new_figure
from omnireel.recipes.scaling import ScalingPoint


@dataclass(frozen=True)
class PowerLaw:
    """``loss = factor * compute ** -exponent``."""

    factor: float
    exponent: float

    def __call__(self, flops: float) -> float:
        """The loss after ``flops`` operations."""
        return float(self.factor * flops**-self.exponent)


def frontier(points: Sequence[ScalingPoint]) -> list[ScalingPoint]:
    """The points with a lower loss than all that took no more compute, by compute."""
    found: list[ScalingPoint] = []
    for point in sorted(points, key=lambda p: (p.flops, p.held_out_loss)):
        if not found or point.held_out_loss < found[-1].held_out_loss:
            found.append(point)
    return found


def fit(points: Sequence[ScalingPoint]) -> PowerLaw:
    """The power law through ``points``.

    Raises:
        InvalidInput: fewer than two amounts of compute.

    """
    if len({point.flops for point in points}) < 2:
        raise InvalidInput("a power law needs two amounts of compute or more", field="points")
    x = np.log([point.flops for point in points])
    slope, offset = np.polyfit(x, np.log([point.held_out_loss for point in points]), 1)
    return PowerLaw(float(np.exp(offset)), float(-slope))


def draw(points: Sequence[ScalingPoint], path: Path) -> PowerLaw:
    """Write the figure; returns the line that it shows."""
    law = fit(frontier(points))
    figure, (left, right) = new_figure(columns=2)  # says what is missing, if anything is
    from matplotlib.ticker import LogLocator, NullLocator

    for size in dict.fromkeys(point.size for point in points):
        here = sorted((p for p in points if p.size == size), key=lambda p: p.flops)
        label = f"{size}, {here[0].parameters / 1e6:.1f} M parameters"
        x = [point.flops for point in here]
        left.plot(x, [point.held_out_loss for point in here], marker="o", label=label)
        intervals(right, x, [point.score for point in here], label)
    ends = [min(p.flops for p in points), 4 * max(p.flops for p in points)]
    left.plot(
        ends, [law(x) for x in ends], color="grey", linewidth=0.9, linestyle="--",
        label=f"best points: loss ~ compute^{-law.exponent:.3f}",
    )  # fmt: skip
    for axes in (left, right):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter("{x:.0e}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("floating-point operations of training")
    left.set_yscale("log")
    left.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    left.yaxis.set_major_formatter("{x:.2f}")
    left.yaxis.set_minor_locator(NullLocator())
    left.set_title("held-out loss")
    right.set_title("mean score, 95 % interval")
    legend_below(left)
    figure.savefig(path, dpi=DPI)
    return law
