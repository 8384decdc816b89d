"""From a person's folder to an adapter that the services load.

1. The folder is checked and packed into ``out/shards`` (a folder of shards is used as it is).
2. The recipe ``lora-tiny`` encodes them and trains in ``out``.
3. The adapter is exported to ``out/adapter``.

Every step keeps what is finished, so the same command goes on where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from omnireel.data.folder import FolderConfig, open_folder
from omnireel.data.shards import write_shards
from omnireel.data.shards.manifest import MANIFEST
from omnireel.errors import InvalidInput
from omnireel.recipes.base import Report
from omnireel.recipes.export import export_run
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.train import Callback, TrainResult
from omnireel.train.checkpoint import latest_checkpoint


@dataclass(frozen=True)
class AdaptRequest:
    """What to learn from and where to. ``cache`` holds encoded data that runs share."""

    data: Path
    out: Path
    cache: Path
    recipe: str = "lora-tiny"
    overrides: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True)
class Adapted:
    """How it ended. ``adapter`` is None when the run was stopped early."""

    result: TrainResult
    adapter: Path | None
    ignored: tuple[str, ...] = ()
    """Files of the folder that are neither media nor captions."""


def adapt(request: AdaptRequest, callbacks: tuple[Callback, ...], report: Report) -> Adapted:
    """Pack, encode, train and export, or go on with it.

    Raises:
        NotFound, InvalidInput: see :func:`omnireel.data.folder.open_folder` and ``run_recipe``; or
            ``out`` or ``cache`` lies in the folder of clips.
        AlreadyExists: ``out`` was made from other files than ``data`` holds now.

    """
    shards, ignored = _shards(request, report)
    run = RunRequest(
        recipe=request.recipe,
        out=request.out,
        cache=request.cache,
        resume=latest_checkpoint(request.out) is not None,
        overrides=(f"shards={shards}", *request.overrides),
        command=request.command,
    )
    result = run_recipe(run, callbacks, report)
    adapter = None
    if not result.stopped_early:
        adapter = export_run(
            request.out, request.out / "adapter", cache=request.cache, report=report
        )
    return Adapted(result, adapter, ignored)


def _shards(request: AdaptRequest, report: Report) -> tuple[Path, tuple[str, ...]]:
    if (request.data / MANIFEST).is_file():
        return request.data, ()
    # The run writes clips of its own, which the next command would take for some to learn from.
    for field, path in (("out", request.out), ("cache", request.cache)):
        if path.resolve().is_relative_to(request.data.resolve()):
            raise InvalidInput(
                f"--{field} {path} lies in the data, {request.data}; give the command outside of "
                "it, with --out and --cache outside, too",
                field=field,
            )
    source = open_folder(request.data, FolderConfig(), _told(report, "checking files"))
    packed = request.out / "shards"
    made_by = {"command": request.command, "folder": request.data.name}
    write_shards(packed, source, made_by=made_by, report=_told(report, "packing samples"))
    return packed, source.ignored


def _told(report: Report, what: str) -> Callable[[int, int], None]:
    """``report`` for one kind of work."""
    return lambda done, total: report(what, done, total)
