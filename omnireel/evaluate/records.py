"""Records of cases, one JSON file each, read back where a run goes on or is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Never

from omnireel.errors import FailedPrecondition


def read_finished(paths: Iterable[Path], keys: Sequence[str]) -> list[dict[str, Any]]:
    """The records that are there, in the order of ``paths``.

    Runs read them before they make the missing ones, too: damage is then told before the work.

    Args:
        paths: of all records, finished or not.
        keys: what each must hold.

    Raises:
        FailedPrecondition: one is damaged.

    """
    return [_read(path, keys) for path in paths if path.is_file()]


def _read(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        itemgetter(*keys)(data)
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, path, repr(error)) from error
    return data


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is no score")


def damaged(path: Path, record: Path, why: str) -> FailedPrecondition:
    """That a file of a run is damaged; a case whose ``record`` is not there is made again."""
    return FailedPrecondition(
        f"{path} is damaged ({why}); remove {record}, and the command that made the run makes it "
        "again"
    )
