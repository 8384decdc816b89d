"""Small pictures for the report, as SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT = 300, 150
GOOD, BAD, INK, FAINT = "#2a7f62", "#c2452d", "#333", "#d9d5cc"


def roc_svg(points: Sequence[tuple[float, float]], auc: float) -> str:
    """The ROC curve: false alarms to the right, bad clips found upwards."""
    size = HEIGHT
    path = " ".join(f"{x * size:.1f},{(1 - y) * size:.1f}" for x, y in points)
    return (
        f'<svg viewBox="-2 -2 {size + 4} {size + 4}" width="{size}" height="{size}" role="img" '
        f'aria-label="ROC, area {auc:.3f}">'
        f'<rect width="{size}" height="{size}" fill="none" stroke="{FAINT}"/>'
        f'<line x1="0" y1="{size}" x2="{size}" y2="0" stroke="{FAINT}"/>'
        f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="2"/>'
        f'<text x="{size - 4}" y="{size - 6}" text-anchor="end">area {auc:.3f}</text></svg>'
    )


def scores_svg(good: Sequence[float], bad: Sequence[float], threshold: float) -> str:
    """Each clip's score as a tick: good ones above, bad ones below, the threshold between them."""
    both = np.array([*good, *bad, threshold])
    shown = np.arcsinh(both / _scale(both))
    low, span = float(shown.min()), float(np.ptp(shown)) or 1.0

    def x(value: float) -> float:
        return 6 + (WIDTH - 12) * (float(np.arcsinh(value / _scale(both))) - low) / span

    ticks = [
        f'<line x1="{x(v):.1f}" x2="{x(v):.1f}" y1="{top}" y2="{top + 44}" stroke="{color}" '
        'stroke-opacity="0.5" stroke-width="2"/>'
        for values, top, color in ((good, 18, GOOD), (bad, 84, BAD))
        for v in values
    ]
    at = x(threshold)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="scores of good and bad clips">{"".join(ticks)}'
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="8" y2="138" stroke="{INK}" stroke-dasharray="4 3"/>'
        f'<text x="4" y="12" fill="{GOOD}">good</text>'
        f'<text x="4" y="80" fill="{BAD}">bad</text>'
        f'<text x="{min(max(at, 30), WIDTH - 30):.1f}" y="148" text-anchor="middle">'
        f"{threshold:g}</text></svg>"
    )


def share_cell(share: float, *, own: bool) -> str:
    """A cell of the confusion table."""
    color = f"rgba(42,127,98,{share:.2f})" if own else f"rgba(194,69,45,{share:.2f})"
    return f'<td style="background:{color}">{share:.2f}</td>'


def _scale(values: np.typing.NDArray[np.float64]) -> float:
    return float(np.median(np.abs(values))) + 1e-3
