"""Training checkpoints: whole or absent, and exact.

::

    run/checkpoints/
      step_00001000/
        model.safetensors      weights as they are trained
        ema.safetensors        averages ("<decay>/<name>")
        optimizer.safetensors  "<optimiser>/<state>/<parameter>"
        random.safetensors     torch's and Python's random states that are tensors
        state.json             step, elapsed time, counters, configuration, SHA-256 of the above
      latest                   name of the newest complete folder

Of W ranks each writes a part of the tensors, but every tensor whole: ``model-00000-of-0000W`` and
so on. Loading puts them together, so any number of ranks can go on from any other's checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from omnireel.errors import IntegrityError, InvalidInput, NotFound
from omnireel.registry.folders import atomic_folder, sha256_file, write_text_atomic

FORMAT = "omnireel-checkpoint-1"
GROUPS = ("model", "ema", "optimizer", "random")

Groups = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that a run needs to go on exactly where it was."""

    step: int
    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor] = field(default_factory=dict)
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    random: Mapping[str, Tensor] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    """JSON: counters, elapsed seconds, numpy and Python random states, configuration."""


def write_shard(folder: Path, groups: Groups, rank: int = 0, world: int = 1) -> dict[str, str]:
    """Write one rank's tensors, read them back and compare; SHA-256 by file name.

    Raises:
        IntegrityError: what is on the disk is not what was written.

    """
    hashes = {}
    for group in GROUPS:
        path = folder / _file_name(group, rank, world)
        save_file(dict(groups[group]), path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        if not _same(load_file(path), groups[group]):
            raise IntegrityError(f"{path} was written but reads back differently; check the disk")
        hashes[path.name] = sha256_file(path)
    return hashes


def commit(work: Path, folder: Path, state: Mapping[str, Any], *, keep: int) -> None:
    """Make the shards in ``work`` a checkpoint: all at once, and the newest.

    Points ``latest`` to it and drops all but the newest ``keep``.

    Args:
        work: folder with all shards, beside ``folder``; it goes away.
        folder: the checkpoint, ``checkpoints/step_*``.
        state: content of ``state.json``; with ``step`` and ``sha256``.
        keep: how many checkpoints to keep.

    Raises:
        ResourceExhausted: the disk is full; earlier checkpoints stay whole.

    """
    with atomic_folder(folder) as made:
        for path in work.iterdir():
            path.rename(made / path.name)
        content = {**state, "format": FORMAT}
        (made / "state.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    work.rmdir()
    root = folder.parent
    write_text_atomic(root / "latest", folder.name + "\n")
    others = sorted(p for p in root.glob("step_*") if p != folder)
    # Later steps than this one belong to a past that was given up by going back.
    abandoned = [p for p in others if p.name > folder.name]
    earlier = [p for p in others if p.name < folder.name]
    for old in abandoned + earlier[: max(0, len(earlier) - keep + 1)]:
        shutil.rmtree(old)


def _file_name(group: str, rank: int, world: int) -> str:
    return (
        f"{group}.safetensors" if world == 1 else f"{group}-{rank:05d}-of-{world:05d}.safetensors"
    )


def _same(read: Mapping[str, Tensor], written: Mapping[str, Tensor]) -> bool:
    """Whether both hold the same bytes (so that NaN equals NaN)."""
    return read.keys() == written.keys() and all(
        read[n].dtype == t.dtype
        and read[n].shape == t.shape
        and torch.equal(read[n].reshape(-1).view(torch.uint8), t.reshape(-1).view(torch.uint8))
        for n, t in written.items()
    )


def load_checkpoint(run: Path) -> Checkpoint:
    """Read the checkpoint that ``latest`` names, after checking its hashes.

    Raises:
        NotFound: the run has none.
        IntegrityError: it is damaged; the message names an older one, if any.
        InvalidInput: the folder was written by something else.

    """
    folder = latest_checkpoint(run)
    if folder is None:
        raise NotFound(f"{run} holds no checkpoint to resume; start without --resume")
    try:
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(folder, "state.json is missing or unreadable") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InvalidInput(
            f"{folder} is not a checkpoint of this release (format {FORMAT}); choose another --out",
            field="out",
        )
    groups: dict[str, dict[str, Tensor]] = {group: {} for group in GROUPS}
    for name, expected in sorted(_hashes(folder, state).items()):
        path, group = folder / name, name.split("-")[0].split(".")[0]
        try:
            if sha256_file(path) != expected:
                raise _damaged(folder, f"{name} does not match its SHA-256")
            groups[group] |= load_file(path)
        except (OSError, KeyError, SafetensorError) as error:
            raise _damaged(folder, f"{name} is missing or unreadable") from error
    return Checkpoint(step=int(state["step"]), state=state, **groups)


def _hashes(folder: Path, state: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every file; each group must have all its shards."""
    hashes = state.get("sha256")
    world = state.get("world", 1)
    if not isinstance(hashes, dict) or not isinstance(world, int):
        raise _damaged(folder, "state.json does not list its files")
    missing = sorted(
        {_file_name(group, rank, world) for group in GROUPS for rank in range(world)}
        - hashes.keys()
    )
    if missing:
        raise _damaged(folder, f"{missing[0]} is not listed in state.json")
    return hashes


def latest_checkpoint(run: Path) -> Path | None:
    """The folder that ``latest`` names; ``None`` when the run has no checkpoint."""
    pointer = run / "checkpoints" / "latest"
    if not pointer.is_file():
        return None
    name = pointer.read_text(encoding="utf-8").strip()
    if not name.startswith("step_") or Path(name).name != name:
        raise IntegrityError(f"{pointer} is damaged; write the name of a step_* folder into it")
    return pointer.parent / name


def _damaged(folder: Path, what: str) -> IntegrityError:
    others = [p.name for p in sorted(folder.parent.glob("step_*")) if p != folder]
    remedy = (
        f"write '{others[-1]}' into {folder.parent / 'latest'} to go on from there"
        if others
        else "start the run again without --resume"
    )
    return IntegrityError(f"checkpoint {folder} is damaged: {what}; {remedy}")
