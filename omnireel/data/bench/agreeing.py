"""Labelled samples of tier 3 as rows of the bench; see `omnireel.data.crossmodal.labelled`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from omnireel.data.bench.run import Row, Split
from omnireel.data.checks.base import Check, Models
from omnireel.data.checks.registry import CROSS_MODAL
from omnireel.data.crossmodal.labelled import labelled
from omnireel.data.crossmodal.measure import CHOOSE, REPORT

SEEDS = {"choose": CHOOSE, "report": REPORT}
MOVEMENTS = ("motion_match", "camera_match")
"""Checks whose threshold must also fit flow, and is a decision."""


def agreement_rows(
    split: Split,
    count: int,
    embedder: Path,
    workers: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, list[Row]]:
    """``count`` samples, half of them bad, for each check, by its name."""
    found: dict[str, list[Row]] = {}
    report(0, len(CROSS_MODAL))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {
            pool.submit(_rows_of, kind, SEEDS[split], count, embedder): kind.name
            for kind in CROSS_MODAL
        }
        for done, future in enumerate(as_completed(waiting), start=1):
            found[waiting[future]] = future.result()
            report(done, len(CROSS_MODAL))
    return {kind.name: found[kind.name] for kind in CROSS_MODAL}


def _rows_of(kind: type[Check], seed: int, count: int, embedder: Path) -> list[Row]:
    check, rows = kind.load(Models(embedder=embedder)), []
    with tempfile.TemporaryDirectory(prefix="omnireel-bench-") as folder:
        for i, sample in enumerate(labelled(check.name, count, seed, Path(folder))):
            found = check.measure(sample.candidate)
            scores = {check.name: None if found is None else round(found.score, 5)}
            # A good sample and the bad one beside it come from one scene.
            rows.append(
                Row(i // 2, sample.flaw or "good", check.name, not sample.good, 1.0, scores)
            )
    return rows
