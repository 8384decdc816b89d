"""Shards -> samples, in their order, from any sample on.

A reader holds one row group in memory. Every row is checked against its own hash as it is read, so
nothing before the first wanted row group has to be read; `ShardReader.verify` checks whole files.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from omnireel.data.sample import TrainingSample
from omnireel.data.shards.manifest import ShardFile, read_manifest
from omnireel.data.shards.schema import sample_of
from omnireel.errors import IntegrityError, InvalidInput, NotFound
from omnireel.store.chunks import sha256_of

_REMEDY = "restore it, or delete the folder and pack again"


class ShardReader:
    """A finished folder of shards; sample n is always the same one."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest and look that every file is there in its full size.

        Raises:
            NotFound: no shards here, or some are missing; all of them are named.
            FailedPrecondition: packing was not finished, or another release wrote them.
            IntegrityError: the manifest is damaged, or a file is longer or shorter than it was.

        """
        self.folder = folder
        self.manifest = read_manifest(folder)
        files = self.manifest.files
        missing = [file.name for file in files if not (folder / file.name).is_file()]
        if missing:
            raise NotFound(
                f"{folder} lacks {len(missing)} of {len(files)} shards: {', '.join(missing)}; "
                "copy them again, or delete the folder and pack again"
            )
        for file in files:
            size = (folder / file.name).stat().st_size
            if size != file.size_bytes:
                raise IntegrityError(
                    f"{folder / file.name} has {size} bytes instead of {file.size_bytes}; {_REMEDY}"
                )
        self._ends = list(accumulate(file.num_samples for file in files))

    def __len__(self) -> int:
        return self.manifest.num_samples

    def samples(self, start: int = 0) -> Iterator[tuple[int, TrainingSample]]:
        """``(n, sample n)`` from ``n = start`` to the end.

        Raises:
            InvalidInput: ``start`` is beyond the end, or negative.
            IntegrityError: a file is damaged; it is named.

        """
        if not 0 <= start <= len(self):
            raise InvalidInput(f"sample {start} is not in 0..{len(self)}", field="start")
        first = bisect_right(self._ends, start)
        for number in range(first, len(self._ends)):
            file = self.manifest.files[number]
            begin = self._ends[number] - file.num_samples
            for i, sample in self._rows(file, max(start - begin, 0)):
                yield begin + i, sample

    def verify(self) -> None:
        """Compare every file with its SHA-256.

        Raises:
            IntegrityError: some differ; all of them are named.

        """
        changed = [
            file.name
            for file in self.manifest.files
            if sha256_of(self.folder / file.name) != file.sha256
        ]
        if changed:
            raise IntegrityError(
                f"{self.folder}: {', '.join(changed)} changed since they were written; {_REMEDY}"
            )

    def _rows(self, file: ShardFile, start: int) -> Iterator[tuple[int, TrainingSample]]:
        path = self.folder / file.name
        try:
            with pq.ParquetFile(path) as parquet:
                counts = [
                    parquet.metadata.row_group(g).num_rows for g in range(parquet.num_row_groups)
                ]
                if sum(counts) != file.num_samples:
                    raise IntegrityError(f"it holds {sum(counts)} samples, not {file.num_samples}")
                end = 0
                for group, count in enumerate(counts):
                    begin, end = end, end + count
                    if end <= start:
                        continue
                    rows = parquet.read_row_group(group).slice(max(start - begin, 0))
                    for i in range(rows.num_rows):
                        yield end - rows.num_rows + i, sample_of(rows.slice(i, 1).to_pylist()[0])
        except IntegrityError as error:
            raise IntegrityError(f"{path}: {error}; {_REMEDY}") from error
        except (pa.ArrowException, OSError, ValueError) as error:
            raise IntegrityError(f"{path} is not readable ({error}); {_REMEDY}") from error
