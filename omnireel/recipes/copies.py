"""Checkpoints in an object store as well, for when the volume of the run is lost.

::

    s3://bucket/runs/generator
      checkpoints/
        step_00001000/*.safetensors
        step_00001000/state.json    written last: a checkpoint that has it is whole
        latest                      name of the newest whole one
      recipe.json ...               what else a run needs to go on

Copies are made by a thread, from hard links, so neither training nor its clearing of old
checkpoints waits. When checkpoints come faster than they can be copied, those between are passed
over. An error of the store ends the run at its next checkpoint: nobody should believe in copies
that are not there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

from omnireel.errors import AlreadyExists, IntegrityError, NotFound
from omnireel.registry.folders import atomic_folder, write_text_atomic
from omnireel.store import ObjectStore
from omnireel.train import Callback
from omnireel.train.callbacks import RunInfo
from omnireel.train.checkpoint import latest_checkpoint

_LATEST, _STATE = "checkpoints/latest", "state.json"
_RECIPE = "recipe.json"
_NOTES = (_RECIPE, "mlflow_run_id", "metrics.jsonl")
"""Small files of the run folder, as far as they are there."""


class CheckpointCopies(Callback):
    """Copies what counts to ``store``, which holds this run and nothing else."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._run = Path()
        self._lock = threading.Condition()
        self._next: Path | None = None
        self._ending = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="copies", daemon=True)

    def on_start(self, info: RunInfo) -> None:
        """Look whether the store is there, and ours.

        Raises:
            AlreadyExists: it holds another run, or more of this one than is here.

        """
        name = _latest(self._store)
        if name is not None and (
            int(name.removeprefix("step_")) > info.start_step
            or not _goes_on(self._store, info.folder)
        ):
            place = self._store.uri(_LATEST).removesuffix(_LATEST)
            raise AlreadyExists(
                f"{place} holds {name} of another run, or of this one beyond step "
                f"{info.start_step}; get it with 'omnireel train fetch' into an empty folder, or "
                "choose another --copy-to"
            )
        self._run = info.folder
        for left in (info.folder / "checkpoints").glob(".step_*.copying"):  # of a killed process
            shutil.rmtree(left)
        self._thread.start()

    def on_checkpoint(self, step: int, folder: Path) -> None:
        """Leave it to the thread.

        Raises:
            OmnireelError: an earlier one could not be copied.

        """
        if self._error is not None:
            raise self._error
        links = folder.parent / f".{folder.name}.copying"
        shutil.rmtree(links, ignore_errors=True)
        links.mkdir()
        for path in folder.iterdir():
            os.link(path, links / path.name)
        with self._lock:
            passed_over, self._next = self._next, links
            self._lock.notify()
        if passed_over is not None:
            shutil.rmtree(passed_over)

    def on_end(self, step: int, error: BaseException | None) -> None:
        """Wait until the newest is copied."""
        if self._thread.ident is None:
            return
        with self._lock:
            self._ending = True
            self._lock.notify()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _work(self) -> None:
        while (links := self._taken()) is not None:
            try:
                name = links.name.removeprefix(".").removesuffix(".copying")
                save_checkpoint(self._store, self._run, name, links)
            except BaseException as error:  # noqa: BLE001 - raised by the training thread
                self._error = error
                return
            finally:
                shutil.rmtree(links, ignore_errors=True)

    def _taken(self) -> Path | None:
        with self._lock:
            self._lock.wait_for(lambda: self._next is not None or self._ending)
            taken, self._next = self._next, None
            return taken


def save_checkpoint(store: ObjectStore, run: Path, name: str, folder: Path) -> None:
    """Copy one whole checkpoint, make it the latest, and drop those that the run has dropped."""
    files = sorted(folder.iterdir(), key=lambda path: (path.name == _STATE, path.name))
    for path in files:
        store.put(f"checkpoints/{name}/{path.name}", path)
    for note in _NOTES:
        if (run / note).is_file():
            store.put(note, (run / note).read_bytes())
    store.put(_LATEST, f"{name}\n".encode())
    kept = {path.name for path in (run / "checkpoints").glob("step_*")} | {name}
    stale = [info for info in store.list("checkpoints/step_") if info.key.split("/")[1] not in kept]
    # The state first: what has none is no checkpoint.
    for info in sorted(stale, key=lambda info: not info.key.endswith(_STATE)):
        store.delete(info.uri)


def fetch_run(store: ObjectStore, run: Path) -> Path:
    """Bring the latest checkpoint back into an empty run folder; returns its folder.

    Raises:
        NotFound: the store holds no run.
        IntegrityError: it names something else than a checkpoint as its latest.
        AlreadyExists: the run has a checkpoint.

    """
    if (present := latest_checkpoint(run)) is not None:
        raise AlreadyExists(f"{run} has the checkpoint {present.name}; choose an empty folder")
    name = _latest(store)
    if name is None:
        raise NotFound(f"{store.uri(_LATEST)} does not exist: no run was copied there")
    folder = run / "checkpoints" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as made:
        for info in store.list(f"checkpoints/{name}/"):
            _write(made / info.key.rpartition("/")[2], store.open_range(info.uri))
    for note in _NOTES:
        if store.exists(uri := store.uri(note)):
            _write(run / note, store.open_range(uri))
    write_text_atomic(run / _LATEST, name + "\n")
    return folder


def _latest(store: ObjectStore) -> str | None:
    """Name of the newest whole checkpoint that is in ``store``."""
    uri = store.uri(_LATEST)
    if not store.exists(uri):
        return None
    name = store.get(uri).decode().strip()
    if not re.fullmatch(r"step_\d+", name):  # never a way out of the run folder
        raise IntegrityError(f"{uri} names {name!r}, which is not a checkpoint")
    return name


def _goes_on(store: ObjectStore, run: Path) -> bool:
    """Whether ``run`` has gone on from what was copied: its recipe file lists the commands of the
    copied one, and then the present command."""
    uri, here = store.uri(_RECIPE), run / _RECIPE
    if not store.exists(uri):  # of a run without a recipe
        return not here.is_file()
    if not here.is_file():
        return False
    before, now = (json.loads(text)["commands"] for text in (store.get(uri), here.read_bytes()))
    return len(before) < len(now) and now[: len(before)] == before


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
