"""Removing a sample from finished shards: what a person asks for who may ask.

1. Shards that hold it are written anew without it, under names of their own.
2. The ledger's rows of the sample become one tombstone; the work folder, the report and the contact
   sheet, which have pictures of it, go.
3. The manifest is replaced: from here on the sample is gone for every reader. It keeps the hashes
   of the manifests before it, by which models that were trained on them are found.
4. The old shards go.

A kill leaves the old set or the new one, and the same command finishes the rest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from omnireel.data.checks.copies import ExactDuplicate
from omnireel.data.curate.bucket_output import WORK_PREFIX
from omnireel.data.curate.lease import LeaseConfig, leased
from omnireel.data.curate.ledger import FORGOTTEN, LEDGER, TIMES, read_rows, tombstone, write_rows
from omnireel.data.curate.report import REPORT
from omnireel.data.curate.state import WORK
from omnireel.data.overview import SHEET
from omnireel.data.sample import TrainingSample
from omnireel.data.shards import Manifest, ShardFile, ShardReader
from omnireel.data.shards.bucket import ShardBucket
from omnireel.data.shards.manifest import MANIFEST
from omnireel.data.shards.schema import SCHEMA, sample_of, table_of
from omnireel.errors import NotFound
from omnireel.files import atomic_path, atomic_write
from omnireel.store import LocalStore
from omnireel.store.chunks import sha256_of

HISTORY = "earlier_manifests"


@dataclass(frozen=True)
class Forgotten:
    """What was removed, and every manifest whose data held it."""

    samples: tuple[str, ...]
    rewritten: tuple[str, ...]
    """Shards that held them."""
    manifests: tuple[str, ...]
    """SHA-256 of manifest files, the newest that held it last."""


def forget_at(address: str, wanted: str) -> Forgotten:
    """As :func:`forget`, in a folder or in a bucket, which is fetched and sent back.

    Raises:
        As :func:`forget`; what the store raises.

    """
    if "://" not in address:
        return forget(Path(address), wanted)
    bucket = ShardBucket(address)
    with (
        leased(bucket.store, bucket.address),
        tempfile.TemporaryDirectory(prefix="omnireel-forget-") as name,
    ):
        folder = Path(name)
        bucket.fetch(folder)
        done = forget(folder, wanted)
        bucket.send(folder)
        for info in bucket.store.list(WORK_PREFIX):
            bucket.store.delete(info.uri)
    return done


def forget(folder: Path, wanted: str) -> Forgotten:
    """Remove every sample that ``wanted`` names from the shards in ``folder``.

    Args:
        folder: of finished shards.
        wanted: a sample's key, the name of a file (all of its shots), or the SHA-256 of one. Files
            that the ledger knows as copies of the same bytes go with it.

    Raises:
        NotFound: no such sample, neither in the shards nor in the ledger.
        IntegrityError: the shards are damaged.
        FailedPrecondition: a curation works on them.

    """
    with _held(folder):
        return _forget(folder, wanted)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Where a curation has left its work, nobody else may be at it."""
    work = folder / WORK
    if not work.is_dir():
        yield
        return
    with leased(LocalStore(work), str(folder), LeaseConfig(prefix="lease/")):
        yield


def _forget(folder: Path, wanted: str) -> Forgotten:
    _drop_unlisted(folder)
    reader = ShardReader(folder)
    copies = _copies(folder / LEDGER)
    known = {sample.key: _known_as(sample) for _, sample in reader.samples()}
    same = {file for sha256, file, *_ in known.values() if sha256 == wanted}
    named = _with_copies({wanted, *same}, copies)
    hits = {key for key, others in known.items() if not named.isdisjoint((key, *others))}
    gone = _in_ledger(folder / LEDGER, named, hits)
    if not gone:
        raise NotFound(f"{folder} holds no sample, file or hash {wanted!r}; see {LEDGER}")
    history = tuple(reader.manifest.made_by.get(HISTORY, ()))
    manifest, names = _without(reader, hits) if hits else (reader.manifest, ())
    made_by = dict(manifest.made_by)
    if (folder / LEDGER).is_file():
        write_rows(folder / LEDGER, _buried(list(read_rows(folder / LEDGER)), gone, copies))
        made_by["ledger_sha256"] = sha256_of(folder / LEDGER)
    shutil.rmtree(folder / WORK, ignore_errors=True)
    for name in (REPORT, SHEET, TIMES):
        (folder / name).unlink(missing_ok=True)
    if hits:
        history = (*history, sha256_of(folder / MANIFEST))
        made_by[HISTORY] = list(history)
    if made_by != manifest.made_by or hits:
        manifest = replace(manifest, made_by=made_by)
        atomic_write(folder / MANIFEST, manifest.to_json().encode())
    _drop_unlisted(folder)
    return Forgotten(tuple(sorted(gone)), names, history)


def _copies(ledger: Path) -> dict[str, str]:
    """Files that are the same bytes as another one, and which that is."""
    if not ledger.is_file():
        return {}
    return {
        row["sample"]: json.loads(row["detail"])["of"]
        for row in read_rows(ledger)
        if (row["check"] == ExactDuplicate.name or row["verdict"] == FORGOTTEN)
        and "of" in json.loads(row["detail"] or "{}")
    }


def _known_as(sample: TrainingSample) -> tuple[str, ...]:
    """The hash of its file, its file, its companions."""
    lineage = sample.lineage
    return sample.source_sha256, lineage.get("file", sample.key), *lineage.get("companions", ())


def _with_copies(names: set[str], copies: Mapping[str, str]) -> set[str]:
    """``names``, the originals that they are copies of, and all copies of these."""
    originals = names | {copies[name] for name in names if name in copies}
    return originals | {copy for copy, original in copies.items() if original in originals}


def _in_ledger(ledger: Path, named: AbstractSet[str], found: set[str]) -> set[str]:
    """Keys of the ledger's samples that go, rejected ones too."""
    if not ledger.is_file():
        return found
    keys = {row["sample"] for row in read_rows(ledger)}
    return found | {key for key in keys if key in named or _file_of(key) in named}


def _file_of(key: str) -> str:
    """The file of a shot's key."""
    file, _, shot = key.rpartition("#")
    return file if file and shot.isdecimal() else key


def _buried(
    rows: Iterable[dict[str, Any]], gone: set[str], copies: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """The ledger's rows, with one tombstone for each sample that is gone."""
    told: set[str] = set()
    for row in rows:
        if row["sample"] not in gone or row["verdict"] == FORGOTTEN:
            yield row
        elif row["sample"] not in told:
            told.add(row["sample"])
            yield tombstone(row["sample"], copies.get(row["sample"], ""))


def _without(reader: ShardReader, gone: set[str]) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest without some samples, and the names of the shards that held them."""
    files: list[ShardFile] = []
    held: list[str] = []
    counts: Counter[str] = Counter(reader.manifest.capabilities)
    media_bytes = reader.manifest.media_bytes
    for file in reader.manifest.files:
        dropped = [s for s in _samples(reader.folder / file.name) if s.key in gone]
        if not dropped:
            files.append(file)
            continue
        held.append(file.name)
        counts.subtract(sample.capability for sample in dropped)
        media_bytes -= sum(sample.size_bytes for sample in dropped)
        if len(dropped) < file.num_samples:
            files.append(_rewrite(reader.folder, file, gone))
    plan = json.dumps([reader.manifest.plan, sorted(gone)])
    manifest = replace(
        reader.manifest,
        plan=hashlib.sha256(plan.encode()).hexdigest(),
        files=tuple(files),
        media_bytes=media_bytes,
        capabilities={name: count for name, count in sorted(counts.items()) if count},
    )
    return manifest, tuple(held)


def _rewrite(folder: Path, file: ShardFile, gone: set[str]) -> ShardFile:
    """A shard without some samples, under a name of its own, row group by row group."""
    digest = hashlib.sha256((file.sha256 + json.dumps(sorted(gone))).encode()).hexdigest()
    path = folder / f"{file.name.partition('.')[0]}.{digest[:12]}.parquet"
    layout = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    count = 0
    with (
        pq.ParquetFile(folder / file.name) as source,
        atomic_path(path) as partial,
        pq.ParquetWriter(partial, SCHEMA, **layout) as writer,
    ):
        for group in range(source.num_row_groups):
            kept = [s for s in _in_group(source, group) if s.key not in gone]
            if kept:
                writer.write_table(table_of(kept), row_group_size=len(kept))
                count += len(kept)
    return ShardFile(path.name, sha256_of(path), path.stat().st_size, count)


def _samples(path: Path) -> Iterator[TrainingSample]:
    with pq.ParquetFile(path) as source:
        for group in range(source.num_row_groups):
            yield from _in_group(source, group)


def _in_group(source: pq.ParquetFile, group: int) -> list[TrainingSample]:
    return [sample_of(row) for row in source.read_row_group(group).to_pylist()]


def _drop_unlisted(folder: Path) -> None:
    """Remove shards that the manifest does not have: what an interrupted removal left."""
    listed = {file.name for file in ShardReader(folder).manifest.files}
    for path in folder.glob("shard-*.parquet"):
        if path.name not in listed:
            path.unlink()
