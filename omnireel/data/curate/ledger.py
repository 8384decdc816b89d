"""The decision ledger: one row for each sample and check, in a fixed order; times lie elsewhere.

=======  ==========================================================================================
sample   the sample's key; a file that was never split has its file name
check    what was asked
tier     1 basic, 2 temporal, 3 cross-modal
version  of the check
verdict  kept, rejected, failed (the check raised), not_applicable, skipped; forgotten: removed on
         request, the only row that is left of its sample
score    in the unit of the check, or null
low      least score that is kept, or null
high     greatest score that is kept, or null
reason   why, in words
detail   JSON
=======  ==========================================================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from omnireel.data.checks.base import Verdict
from omnireel.data.curate.records import plain
from omnireel.errors import IntegrityError, NotFound
from omnireel.files import atomic_path

LEDGER = "ledger.parquet"
TIMES = "times.parquet"
FORGOTTEN = "forgotten"
_BATCH = 32_768

SCHEMA = pa.schema(
    [
        ("sample", pa.string()),
        ("check", pa.string()),
        ("tier", pa.int8()),
        ("version", pa.int16()),
        ("verdict", pa.string()),
        ("score", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
_TIMES_SCHEMA = pa.schema([("stage", pa.string()), ("key", pa.string()), ("seconds", pa.float64())])


def row_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict as a row of the ledger."""
    return {
        "sample": verdict.sample,
        "check": verdict.check,
        "tier": int(verdict.tier),
        "version": verdict.version,
        "verdict": verdict.outcome.value,
        "score": verdict.score,
        "low": verdict.low if math.isfinite(verdict.low) else None,
        "high": verdict.high if math.isfinite(verdict.high) else None,
        "reason": verdict.reason,
        "detail": json.dumps(plain(verdict.detail), sort_keys=True) if verdict.detail else "",
    }


def tombstone(sample: str, of: str = "") -> dict[str, Any]:
    """The row that is left of a sample that was removed on request.

    It still says of which file it was a copy: by that, a removal that was interrupted goes on.
    """
    empty = dict.fromkeys(SCHEMA.names)
    row = {**empty, "sample": sample, "check": "", "verdict": FORGOTTEN, "reason": "on request"}
    return {**row, "detail": json.dumps({"of": of})} if of else row


def write_rows(path: Path, rows: Iterable[dict[str, Any]], schema: pa.Schema = SCHEMA) -> None:
    """Write a whole Parquet file; equal rows give equal bytes."""
    with atomic_path(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as out:
        for batch in _batches(rows):
            out.write_table(pa.Table.from_pylist(batch, schema=schema))


def write_times(path: Path, times: Iterable[tuple[str, str, float]]) -> None:
    """Seconds that each stage took, by file or sample."""
    rows = ({"stage": stage, "key": key, "seconds": seconds} for stage, key, seconds in times)
    write_rows(path, rows, _TIMES_SCHEMA)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a ledger.

    Raises:
        NotFound: there is none.
        IntegrityError: it is damaged.

    """
    if not path.is_file():
        raise NotFound(f"there is no ledger {path}")
    try:
        with pq.ParquetFile(path) as parquet:
            for batch in parquet.iter_batches(_BATCH):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise IntegrityError(f"the ledger {path} is damaged ({error}); restore it") from error


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
