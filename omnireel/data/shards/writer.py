"""Samples -> shuffled shards, once and for good.

1. The order is that of SHA-256(seed, key): it depends on neither the order in which samples are
   listed nor on a library, and a sample that is added moves no other.
2. Files are filled in that order up to a size, each with several row groups (what a reader takes
   into memory at once), written aside, flushed, renamed.
3. The manifest comes last. A run that is interrupted is repeated: files of the same plan that are
   there already are kept, for the plan's hash is in their footers.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from omnireel.data.sample import TrainingSample
from omnireel.data.shards.manifest import MANIFEST, Manifest, ShardFile, read_manifest
from omnireel.data.shards.schema import SCHEMA, SCHEMA_VERSION, table_of
from omnireel.errors import AlreadyExists, IntegrityError, InvalidInput
from omnireel.files import atomic_path, atomic_write
from omnireel.store.chunks import sha256_of

MIB = 1 << 20
_FACTS = b"omnireel"


@dataclass(frozen=True)
class ShardWriterConfig:
    """How samples are laid out. Sizes count bytes of media; one sample may be larger."""

    seed: int = 0
    shard_bytes: int = 256 * MIB
    group_bytes: int = 8 * MIB
    """Of one row group: what a reader that starts in the middle reads in vain, at most."""

    def __post_init__(self) -> None:
        for name in ("shard_bytes", "group_bytes"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be 1 or more", field=f"shards.{name}")


class SampleSource(Protocol):
    """Samples to pack, in no particular order."""

    def contents(self) -> Mapping[str, str]:
        """A hash of the content of every sample, by key."""

    def load(self, key: str) -> TrainingSample:
        """One sample."""


def write_shards(
    folder: Path,
    source: SampleSource,
    config: ShardWriterConfig | None = None,
    *,
    made_by: Mapping[str, Any] | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Manifest:
    """Pack all samples of ``source`` into ``folder``, or finish what was begun there.

    Args:
        folder: made when missing.
        source: the samples.
        config: their layout.
        made_by: JSON facts for people, kept in the manifest.
        report: called with (samples done, all samples).

    Raises:
        InvalidInput: no samples, or one that makes no sense.
        AlreadyExists: the folder holds other shards.
        ResourceExhausted: the disk is full; run it again after freeing some.

    """
    config = config or ShardWriterConfig()
    contents = source.contents()
    if not contents:
        raise InvalidInput("there are no samples to pack", field="samples")
    order = sorted(contents, key=lambda key: _place(config.seed, key))
    plan = _plan(order, contents, config)
    if (folder / MANIFEST).exists():
        there = read_manifest(folder)
        if there.plan != plan:
            raise AlreadyExists(
                f"{folder} holds other shards ({there.num_samples} samples); choose another "
                f"folder, or delete {folder / MANIFEST} to have them written anew"
            )
        return there
    folder.mkdir(parents=True, exist_ok=True)
    written = _finished_files(folder, plan)
    _drop_others(folder, written)
    done = sum(file.shard.num_samples for file in written)
    report(done, len(order))
    todo = iter(order[done:])
    while done < len(order):
        file = _write_file(
            folder, len(written), plan, _up_to(todo, source, config.shard_bytes), config
        )
        written.append(file)
        done += file.shard.num_samples
        report(done, len(order))
    counts = sum((Counter(file.capabilities) for file in written), Counter[str]())
    manifest = Manifest(
        seed=config.seed,
        plan=plan,
        files=tuple(file.shard for file in written),
        media_bytes=sum(file.media_bytes for file in written),
        capabilities=dict(sorted(counts.items())),
        made_by=dict(made_by or {}),
    )
    atomic_write(folder / MANIFEST, manifest.to_json().encode())
    return manifest


@dataclass(frozen=True)
class _Written:
    """A finished file, and what it adds to the totals."""

    shard: ShardFile
    media_bytes: int
    capabilities: Mapping[str, int] = field(default_factory=dict)


def _place(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{key}".encode()).digest()


def _plan(order: list[str], contents: Mapping[str, str], config: ShardWriterConfig) -> str:
    facts = [SCHEMA_VERSION, asdict(config), [[key, contents[key]] for key in order]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _up_to(keys: Iterator[str], source: SampleSource, size: int) -> Iterator[TrainingSample]:
    """Samples until they hold ``size`` bytes of media together, one at least."""
    used = 0
    for key in keys:
        sample = source.load(key)
        if sample.key != key:
            raise InvalidInput(f"the source gave {sample.key!r} for {key!r}", field="key")
        sample.check()
        yield sample
        used += sample.size_bytes
        if used >= size:
            return


def _write_file(
    folder: Path,
    number: int,
    plan: str,
    samples: Iterator[TrainingSample],
    config: ShardWriterConfig,
) -> _Written:
    path = folder / f"shard-{number:05d}.parquet"
    capabilities: Counter[str] = Counter()
    media_bytes = 0
    # Media are compressed already, and statistics over them would only repeat their bytes.
    layout = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with atomic_path(path) as partial, pq.ParquetWriter(partial, SCHEMA, **layout) as writer:
        for group in _groups(samples, config.group_bytes):
            writer.write_table(table_of(group), row_group_size=len(group))
            capabilities.update(sample.capability for sample in group)
            media_bytes += sum(sample.size_bytes for sample in group)
        facts = {"plan": plan, "media_bytes": media_bytes, "capabilities": capabilities}
        writer.add_key_value_metadata({_FACTS: json.dumps(facts)})
    count = sum(capabilities.values())
    shard = ShardFile(path.name, sha256_of(path), path.stat().st_size, count)
    return _Written(shard, media_bytes, capabilities)


def _groups(samples: Iterator[TrainingSample], size: int) -> Iterator[list[TrainingSample]]:
    group: list[TrainingSample] = []
    used = 0
    for sample in samples:
        group.append(sample)
        used += sample.size_bytes
        if used >= size:
            yield group
            group, used = [], 0
    if group:
        yield group


def _finished_files(folder: Path, plan: str) -> list[_Written]:
    """The first files of ``plan`` that are there, until one is missing or of another plan."""
    found: list[_Written] = []
    while (path := folder / f"shard-{len(found):05d}.parquet").is_file():
        facts = _facts(path)
        if facts.get("plan") != plan:
            break
        count = sum(facts["capabilities"].values())
        shard = ShardFile(path.name, sha256_of(path), path.stat().st_size, count)
        found.append(_Written(shard, facts["media_bytes"], facts["capabilities"]))
    return found


def _facts(path: Path) -> dict[str, Any]:
    try:
        metadata = pq.read_metadata(path).metadata or {}
        facts: dict[str, Any] = json.loads(metadata[_FACTS])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise IntegrityError(
            f"{path} is not a shard that 'omnireel data pack' wrote ({error}); delete it, or "
            "choose another folder"
        ) from error
    return facts


def _drop_others(folder: Path, kept: list[_Written]) -> None:
    """Remove the unfinished work of another plan."""
    names = {file.shard.name for file in kept}
    for path in folder.glob("shard-*.parquet"):
        if path.name not in names:
            path.unlink()
    for path in folder.glob(".partial-*"):
        path.unlink()
