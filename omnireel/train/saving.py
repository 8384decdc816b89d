"""Writes checkpoints, in the background if asked to, and says when one counts.

1. Every rank writes its tensors into a hidden folder, reads them back and compares.
2. A checkpoint counts once *all* ranks have done that: they ask each other after every step while
   one is being written. Rank 0 then names all files with their hashes in ``state.json``, renames
   the folder and points ``latest`` to it.
3. A process that dies before leaves a hidden folder that the next run of the folder removes.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnireel.errors import IntegrityError, OmnireelError, ResourceExhausted
from omnireel.parallel.ranks import Rank
from omnireel.registry.folders import is_disk_full
from omnireel.train.checkpoint import Checkpoint, Groups, commit, write_shard
from omnireel.train.engine import Engine, Snapshot
from omnireel.train.randomness import random_state, restore_random_state


class CheckpointWriter:
    """At most one checkpoint at a time; all ranks make the same calls."""

    def __init__(self, run: Path, engine: Engine, keep: int) -> None:
        self._root, self._engine, self._keep = run / "checkpoints", engine, keep
        self._writing: _Writing | None = None

    def clear(self) -> None:
        """Remove what an interrupted run left half written: rank 0 does, before anybody writes."""
        if self._engine.rank.main:
            for path in self._root.glob(".step_*.partial"):
                shutil.rmtree(path)

    def start(self, step: int, snapshot: Snapshot, state: Mapping[str, Any]) -> None:
        """Begin to write. ``snapshot`` must not change any more."""
        assert self._writing is None, "call finish first"
        rank = self._engine.rank
        work = self._root / f".step_{step:08d}.partial"
        if rank.main:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
        tensors, random = random_state()
        # Nobody writes before the folder is there, and all must mean the same step.
        told = self._engine.gather((step, random))
        if len({s for s, _ in told}) > 1:
            raise IntegrityError(f"ranks are at different steps: {[s for s, _ in told]}")
        prefix = "" if rank.world == 1 else f"{rank.rank}/"
        groups = {
            "model": snapshot.model,
            "ema": snapshot.ema,
            "optimizer": snapshot.optimizer,
            "random": {f"{prefix}{name}": tensor for name, tensor in tensors.items()},
        }
        randoms = [data for _, data in told]
        content = {
            **state,
            "step": step,
            "world": rank.world,
            "random": randoms[0] if rank.world == 1 else randoms,
        }
        self._writing = _Writing(step, work, groups, rank, content)

    def poll(self) -> tuple[int, Path] | None:
        """The step and folder of a checkpoint that has come to count, if one has just now."""
        return self._settle() if self._writing is not None else None

    def finish(self) -> tuple[int, Path] | None:
        """Wait until the checkpoint that is being written counts.

        Raises:
            ResourceExhausted: the disk is full; earlier checkpoints stay whole.
            IntegrityError: a file reads back differently.

        """
        if self._writing is None:
            return None
        self._writing.wait()
        return self._settle()

    def _settle(self) -> tuple[int, Path] | None:
        writing = self._writing
        assert writing is not None
        reports = self._engine.gather(writing.report())
        if any(report is None for report in reports):
            return None
        self._writing = None
        hashes: dict[str, str] = {}
        problem: BaseException | None = None
        for report in reports:
            if isinstance(report, BaseException):
                problem = problem or report
            else:
                hashes |= report
        folder = self._root / f"step_{writing.step:08d}"
        if problem is None and self._engine.rank.main:
            try:
                state = {**writing.state, "sha256": hashes}
                commit(writing.work, folder, state, keep=self._keep)
            except OmnireelError as error:
                problem = error
        problem = self._engine.gather(problem)[0]
        if problem is not None:
            if self._engine.rank.main:
                shutil.rmtree(writing.work, ignore_errors=True)
            raise problem
        return writing.step, folder


class _Writing:
    """One rank's part of one checkpoint, in a thread."""

    def __init__(
        self, step: int, work: Path, groups: Groups, rank: Rank, state: Mapping[str, Any]
    ) -> None:
        self.step, self.work, self.state = step, work, state
        self._groups, self._rank = groups, rank
        self._report: dict[str, str] | BaseException | None = None
        self._thread = threading.Thread(target=self._write, name=f"checkpoint-{step}")
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()

    def report(self) -> dict[str, str] | BaseException | None:
        """Hashes of the files, what went wrong, or ``None`` while it is being written."""
        return self._report

    def _write(self) -> None:
        try:
            self._report = write_shard(self.work, self._groups, self._rank.rank, self._rank.world)
        except BaseException as error:  # noqa: BLE001 - raised by all ranks in the main thread
            self._report = (
                ResourceExhausted(
                    f"no space left while writing {self.work}; free some space and resume "
                    "(earlier checkpoints are untouched)"
                )
                if is_disk_full(error)
                else error
            )


def restore_random(checkpoint: Checkpoint, rank: Rank) -> None:
    """Go back to the global random states of this rank.

    With another number of ranks than were saved, a rank takes those of a saved one: training draws
    from its own generators, so this concerns third-party code only.
    """
    saved = int(checkpoint.state.get("world", 1))
    data = checkpoint.state["random"]
    if saved == 1:
        restore_random_state(checkpoint.random, data)
        return
    chosen = rank.rank % saved
    own = {
        name.split("/", 1)[1]: tensor
        for name, tensor in checkpoint.random.items()
        if name.startswith(f"{chosen}/")
    }
    restore_random_state(own, data[chosen])
