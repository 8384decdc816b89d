"""The worst cases of a generator, from its run of OmniBench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from omnireel.errors import FailedPrecondition, NotFound
from omnireel.evaluate.bench.rows import Record, score_in
from omnireel.evaluate.bench.run import clip_path, lost_clip, read_manifest, read_records
from omnireel.evaluate.failures.report import Failures, side_by_side
from omnireel.media.sheet import Row, spread
from omnireel.registry import verify
from omnireel.types import Frames

_TARGET, _RESULT = "target", "result"
_MOMENTS = 3
"""Frames that are shown of answers; of what was given, the middle one."""


def worst_generated(generator: Path, run: Path, count: int, per_row: int = 1) -> Failures:
    """The ``count`` cases furthest below their ceiling, at most ``per_row`` of a capability.

    Raises:
        NotFound: ``run`` holds no results.
        FailedPrecondition: they are of another generator, or damaged.

    """
    model = read_manifest(run)["model"]
    if model["generator"] != verify(generator)["sha256"].get("model.safetensors"):
        raise FailedPrecondition(f"{run} measured another generator than {generator}")
    records = read_records(run)
    if not records:
        raise NotFound(f"no case is finished in {run}; run 'omnireel eval bench' to its end")
    worst = worst_records(records, count, per_row)
    return Failures(
        f"The worst of {len(records)} cases of OmniBench, by the distance from the ceiling, at "
        f"most {per_row} of a capability. In each row: what was given (nothing for text alone), "
        "three moments of the exact answer, the same three of the result. A number is the score, "
        "beside that of the exact answer through the autoencoder.",
        [_row(record, run) for record in worst],
    )


def worst_records(records: Sequence[Record], count: int, per_row: int) -> list[Record]:
    """Cases whose score is furthest below their ceiling."""
    chosen: list[Record] = []
    for record in sorted(records, key=_behind):
        if sum(r["capability"] == record["capability"] for r in chosen) < per_row:
            chosen.append(record)
    return chosen[:count]


def _behind(record: Record) -> float:
    score, ceiling = score_in(record, "score"), score_in(record, "ceiling")
    return 0.0 if score is None or ceiling is None else score - ceiling


def _row(record: Record, run: Path) -> Row:
    given: list[Frames] = []
    shown: dict[str, list[Frames]] = {_TARGET: [], _RESULT: []}
    for clip in record["clips"]:
        frames = _frames(run, record, clip)
        if clip["role"] in shown:
            shown[clip["role"]] = [frames[i] for i in spread(len(frames), _MOMENTS)]
        else:
            given.append(frames[len(frames) // 2])
    score, ceiling = score_in(record, "score") or 0.0, score_in(record, "ceiling") or 0.0
    label = f"{record['id']}  {score:.2f} of {ceiling:.2f}\n{record['prompt']}"
    groups = [given[:3], shown[_TARGET], shown[_RESULT]]
    return label, side_by_side(*(group for group in groups if group))


def _frames(run: Path, record: Record, clip: Mapping[str, Any]) -> list[Frames]:
    """The frames of a clip, which lie side by side on one picture."""
    count, columns = clip["frames"], clip["columns"]
    try:
        with Image.open(clip_path(run, record, clip)) as opened:
            sheet = np.array(opened.convert("RGB"))
    except OSError as error:
        raise lost_clip(run, record, clip, str(error)) from error
    rows = -(-count // columns)
    height, width = sheet.shape[0] // rows, sheet.shape[1] // min(columns, count)
    places = (divmod(i, columns) for i in range(count))
    return [sheet[r * height :][:height, c * width :][:, :width] for r, c in places]
