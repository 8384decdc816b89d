"""A set of shards at a glance: a table of contents, and a contact sheet."""

from __future__ import annotations

from omnireel.data.decode import decode_inputs, decode_target
from omnireel.data.sample import TrainingSample
from omnireel.data.shards import ShardReader
from omnireel.media import DecodeLimits, SheetStyle, contact_sheet
from omnireel.media.sheet import Row
from omnireel.types import Frames, MediaKind

SHEET = "sheet.png"
"""The contact sheet of a folder of shards, inside of it."""
_SHORT_SIDE = 192


def describe_shards(reader: ShardReader) -> list[str]:
    """Lines that say what the shards hold and what made them."""
    manifest = reader.manifest
    mib = manifest.media_bytes / 2**20
    rows = ", ".join(f"{name} {count}" for name, count in manifest.capabilities.items())
    lines = [
        f"{count_of(len(reader), 'sample')} in {count_of(len(manifest.files), 'shard')}, "
        f"{mib:.1f} MiB of media",
        f"capabilities: {rows}",
        f"content {manifest.content_sha256[:16]}, shuffled with seed {manifest.seed}, "
        f"schema {manifest.schema_version}",
    ]
    lines += [f"{name}: {value}" for name, value in manifest.made_by.items()]
    lines += [
        f"{file.name}: {file.num_samples} samples, {file.size_bytes / 2**20:.1f} MiB, "
        f"SHA-256 {file.sha256[:16]}"
        for file in manifest.files
    ]
    return lines


def count_of(number: int, what: str) -> str:
    """``1 shard``, ``2 shards``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def shard_sheet(reader: ShardReader, start: int = 0, count: int = 12) -> Frames:
    """Samples ``start`` to ``start + count`` as one picture ``(1, H, W, 3)``.

    Raises:
        InvalidInput: no samples from ``start`` on, or one that cannot be decoded.

    """
    rows: list[Row] = []
    for index, sample in reader.samples(start):
        if index >= start + count:
            break
        rows += _rows(index, sample)
    return contact_sheet(rows, title=str(reader.folder.name), style=SheetStyle(cell_height=96))


def _rows(index: int, sample: TrainingSample) -> list[Row]:
    limits = DecodeLimits()
    rows: list[Row] = []
    for name, clips in decode_inputs(sample, limits, shrink_short_side=_SHORT_SIDE).items():
        frames = clips[0].frames_THWC if len(clips) == 1 else [c.frames_THWC[0] for c in clips]
        rows.append((f"{index} given: @{name}", frames))
    clip = decode_target(sample, limits, shrink_short_side=_SHORT_SIDE)
    kind = "" if sample.target.kind is MediaKind.VIDEO else ", image"
    label = f"{index} {sample.text}\n{sample.capability}, {sample.key}{kind}"
    return [*rows, (label, clip.frames_THWC)]
