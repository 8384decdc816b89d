"""Axes as our figures of training have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omnireel.errors import FailedPrecondition
from omnireel.evaluate.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 9.0, 4.5
"""Inches."""
DPI = 110


def new_figure(
    rows: int = 1, columns: int = 1, height: float = HEIGHT
) -> tuple[Figure, list[Axes]]:
    """A figure with its panels, row by row.

    Raises:
        FailedPrecondition: matplotlib is not installed.

    """
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise FailedPrecondition("plots need matplotlib: pip install 'omnireel[train]'") from error
    figure = NewFigure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.9", linewidth=0.8)
    return figure, list(panels.flat)


def legend_below(axes: Axes) -> None:
    """Where it hides nothing."""
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize="small", frameon=False
    )


def intervals(
    axes: Axes, x: Sequence[float], scores: Sequence[Interval], label: str, **style: Any
) -> None:
    """Points with the bars of their intervals, joined."""
    y = [s.estimate for s in scores]
    errors = [[s.estimate - s.low for s in scores], [s.high - s.estimate for s in scores]]
    axes.errorbar(x, y, yerr=errors, marker="o", capsize=3, label=label, **style)
