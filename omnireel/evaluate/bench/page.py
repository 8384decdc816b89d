"""A page with every case of a run: input, target and result in step, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omnireel.evaluate.bench.families import FAMILY_NAMES, bench_oracles
from omnireel.evaluate.bench.rows import Record, families_in, score_in
from omnireel.evaluate.bench.table import NAMES
from omnireel.evaluate.pages import BENCH, fill
from omnireel.files import atomic_write

FILE = "index.html"


def write_bench_page(folder: Path, records: Sequence[Record], summary: Mapping[str, Any]) -> Path:
    """Write ``index.html`` into the folder of a run; it plays what lies in ``clips/`` there."""
    model = summary["model"]
    about = (
        f"OmniBench {summary['bench']['version']}, {len(records)} cases. Generator "
        f"{model['generator'][:12]}, {model['num_inference_steps']} steps, {model['words']} words. "
        f"Span: 0 % is the floor (other cases' facts), 100 % the ceiling (the exact answer through "
        "the autoencoder)."
    )
    data = {
        "about": about,
        "families": FAMILY_NAMES,
        "rows": [{**row, "name": NAMES[row["id"]]} for row in summary["rows"]],
        "cases": [_case(record) for record in records],
    }
    atomic_write(folder / FILE, fill(BENCH, data))
    return folder / FILE


def _case(record: Record) -> dict[str, Any]:
    kept = ("id", "capability", "split", "tags", "prompt", "trained", "clips")
    return {
        **{key: record[key] for key in kept},
        "name": NAMES[record["capability"]],
        **{column: score_in(record, column) for column in ("score", "floor", "ceiling")},
        "families": families_in(record, "score"),
        "answers": [
            {
                "oracle": oracle.name,
                "meaning": oracle.meaning,
                "unit": oracle.unit,
                **record["answers"][oracle.name],
            }
            for oracle in bench_oracles(record["capability"])
        ],
    }
