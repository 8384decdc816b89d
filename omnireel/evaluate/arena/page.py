"""The page on which people judge: it tells neither names nor scores nor which trials are checks."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from omnireel.evaluate.arena.trials import Contest, Trial, clip_of
from omnireel.evaluate.bench.run import clip_path
from omnireel.evaluate.pages import JUDGING, fill
from omnireel.evaluate.pages.answers import FORMAT_VERSION
from omnireel.files import atomic_write


def write_arena_page(contest: Contest, out: Path) -> None:
    """Write one HTML file with every trial in it; it loads nothing and can be sent to a judge.

    Raises:
        FailedPrecondition: a clip is not there.

    """
    data = {
        "format_version": FORMAT_VERSION,
        "questions": contest.sha256,
        "pairs": [_pair(contest, trial) for trial in contest.trials],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, fill(JUDGING, data))


def _pair(contest: Contest, trial: Trial) -> dict[str, Any]:
    name = next(iter(contest.records))
    record = contest.records[name][trial.draw][trial.case]
    folder = contest.folders[name][trial.draw]
    given = [c for c in record["clips"] if c["role"] not in ("target", "result")]
    first, second = (clip_of(contest, trial, side) for side in ("left", "right"))
    return {
        "prompt": record["prompt"],
        "given": [{"role": c["role"], **_inside(clip_path(folder, record, c), c)} for c in given],
        "first": _inside(*first),
        "second": _inside(*second),
    }


def _inside(path: Path, clip: dict[str, Any]) -> dict[str, Any]:
    sheet = base64.b64encode(path.read_bytes()).decode()
    shape = {key: clip[key] for key in ("frames", "columns", "width", "height", "fps")}
    return {"sprite": f"data:image/webp;base64,{sheet}", **shape}
