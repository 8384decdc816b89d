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
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from omnireel.errors import IntegrityError, InvalidInput, NotFound
from omnireel.registry.folders import atomic_folder, sha256_file, write_text_atomic

FORMAT = "omnireel-checkpoint-1"
_GROUPS = ("model", "ema", "optimizer", "random")


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


def save_checkpoint(run: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint, point ``latest`` to it, and drop all but the newest ``keep``.

    Raises:
        ResourceExhausted: the disk is full; earlier checkpoints stay whole.

    """
    root = run / "checkpoints"
    folder = root / f"step_{checkpoint.step:08d}"
    with atomic_folder(folder) as work:
        hashes = {}
        for group in _GROUPS:
            path = work / f"{group}.safetensors"
            tensors = getattr(checkpoint, group)
            save_file({n: t.detach().cpu().contiguous().clone() for n, t in tensors.items()}, path)
            hashes[path.name] = sha256_file(path)
        content = {
            **checkpoint.state,
            "format": FORMAT,
            "step": checkpoint.step,
            "sha256": hashes,
        }
        (work / "state.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    write_text_atomic(root / "latest", folder.name + "\n")
    others = sorted(p for p in root.glob("step_*") if p != folder)
    # Later steps than this one belong to a past that was given up by going back.
    abandoned = [p for p in others if p.name > folder.name]
    earlier = [p for p in others if p.name < folder.name]
    for old in abandoned + earlier[: max(0, len(earlier) - keep + 1)]:
        shutil.rmtree(old)
    return folder


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
            f"{folder} is no checkpoint of this release (format {FORMAT}); choose another --out",
            field="out",
        )
    groups: dict[str, dict[str, Tensor]] = {}
    for group in _GROUPS:
        path = folder / f"{group}.safetensors"
        try:
            if sha256_file(path) != state["sha256"][path.name]:
                raise _damaged(folder, f"{path.name} does not match its SHA-256")
            groups[group] = load_file(path)
        except (OSError, KeyError, SafetensorError) as error:
            raise _damaged(folder, f"{path.name} is missing or unreadable") from error
    return Checkpoint(step=int(state["step"]), state=state, **groups)


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
    return IntegrityError(f"Checkpoint {folder} is damaged: {what}; {remedy}")
