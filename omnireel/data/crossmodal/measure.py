"""How well checks tell right from wrong samples: a threshold from one split, its worth on another.

::

    python -m omnireel.data.crossmodal.measure --count 200 edit_done camera_match
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omnireel.data.checks.base import Check, Models
from omnireel.data.checks.registry import CROSS_MODAL
from omnireel.data.crossmodal.labelled import MAKERS, labelled

CHOOSE, REPORT = 7_000_000, 9_000_000
"""Seeds of the split that thresholds are chosen on, and of the one that is reported."""
_HARDLY = 0.01
"""How much less precision or recall is as good."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores ``N`` of labelled samples, and what was wrong with each ("" nothing)."""

    scores_N: npt.NDArray[np.float64]
    flaws: tuple[str, ...]

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """Which are right."""
        return np.array([not flaw for flaw in self.flaws])


@dataclass(frozen=True)
class Worth:
    """What a threshold is worth. A *found* sample is a bad one that is thrown out.

    ``precision``: share of thrown out samples that are bad; ``recall``: share of bad samples that
    are thrown out; ``found_by_flaw`` the same for each flaw.
    """

    threshold: float
    precision: float
    recall: float
    auc: float
    found_by_flaw: dict[str, float] = field(default_factory=dict)


def scores_of(check: Check, count: int, seed: int) -> Scores:
    """Scores of ``count`` labelled samples."""
    found, flaws = [], []
    with tempfile.TemporaryDirectory(prefix="omnireel-bench-") as folder:
        for sample in labelled(check.name, count, seed, Path(folder)):
            measured = check.measure(sample.candidate)
            assert measured is not None
            found.append(measured.score)
            flaws.append(sample.flaw)
    return Scores(np.array(found), tuple(flaws))


def best_threshold(scores: Scores) -> float:
    """The middle of the range in which the smaller of precision and recall is largest, or hardly
    less: what is best by a hair at the edge of a gap is best by chance. Between two scores."""
    values = np.unique(scores.scores_N)
    middles = (values[1:] + values[:-1]) / 2
    worth = np.array([min(_counts(scores, float(t))) for t in middles])
    first = last = int(worth.argmax())
    good = worth >= worth.max() - _HARDLY
    while first > 0 and good[first - 1]:
        first -= 1
    while last + 1 < len(middles) and good[last + 1]:
        last += 1
    return float(middles[(first + last) // 2])


def worth_of(scores: Scores, threshold: float) -> Worth:
    """What ``threshold`` is worth on these samples."""
    precision, recall = _counts(scores, threshold)
    good, bad = scores.scores_N[scores.good], scores.scores_N[~scores.good]
    above = (good[:, None] > bad[None]) + 0.5 * (good[:, None] == bad[None])
    total, out = Counter(scores.flaws), Counter[str]()
    for score, flaw in zip(scores.scores_N, scores.flaws, strict=True):
        out[flaw] += int(score < threshold)
    by_flaw = {flaw: out[flaw] / total[flaw] for flaw in sorted(total) if flaw}
    return Worth(threshold, precision, recall, float(above.mean()), by_flaw)


def _counts(scores: Scores, threshold: float) -> tuple[float, float]:
    out = scores.scores_N < threshold
    bad = ~scores.good
    right = int((out & bad).sum())
    return right / max(int(out.sum()), 1), right / max(int(bad.sum()), 1)


def main() -> None:
    """Print a line per check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", default=list(MAKERS))
    parser.add_argument("--count", type=int, default=200, help="samples of each split")
    parser.add_argument("--embedder", type=Path, help="for all but the last two checks")
    given = parser.parse_args()
    for kind in CROSS_MODAL:
        if kind.name not in given.checks:
            continue
        check = kind.load(Models(embedder=given.embedder))
        threshold = best_threshold(scores_of(check, given.count, CHOOSE))
        worth = worth_of(scores_of(check, given.count, REPORT), threshold)
        flaws = ", ".join(f"{flaw} {share:.2f}" for flaw, share in worth.found_by_flaw.items())
        print(
            f"{check.name}: below {threshold:.4f} out; precision {worth.precision:.3f}, "
            f"recall {worth.recall:.3f}, AUC {worth.auc:.3f} ({flaws})",
            flush=True,
        )


if __name__ == "__main__":
    main()
