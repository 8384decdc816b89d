"""Run a recipe: overrides, run folder, data, trainer."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnireel.errors import AlreadyExists, InvalidInput, NotFound
from omnireel.parallel import join_ranks, main_first, rank_of
from omnireel.recipes import build_recipe
from omnireel.recipes.base import Recipe, Report, Workplace
from omnireel.recipes.config import flatten, from_json, override, to_json
from omnireel.recipes.planning.hardware import peak_flops
from omnireel.registry import load_component, verify, write_text_atomic
from omnireel.registry.descent import earlier_stages
from omnireel.shipped import located, portable
from omnireel.train import Callback, Trainer, TrainerConfig, TrainResult
from omnireel.train.checkpoint import latest_checkpoint
from omnireel.train.heartbeat import Heartbeat
from omnireel.train.supervise import HEARTBEAT_VARIABLE

RECIPE_FILE = "recipe.json"
Beat = Callable[[str, int], None]


@dataclass(frozen=True)
class RunRequest:
    """What to train and where. ``cache`` holds data that runs share."""

    recipe: str
    out: Path
    cache: Path
    resume: bool = False
    init_from: Path | None = None
    overrides: tuple[str, ...] = ()
    command: str = ""
    rung: str = ""
    """Of the ladder that asks for it."""


def run_recipe(request: RunRequest, callbacks: tuple[Callback, ...], report: Report) -> TrainResult:
    """Train; SIGINT and SIGTERM end the run after the current step, with a checkpoint.

    Raises:
        InvalidInput: unknown recipe or field, or a value out of range.
        AlreadyExists: the run folder holds a run and ``resume`` is not set.
        NotFound: ``resume`` is set and there is nothing to resume, or ``init_from`` is missing.

    """
    if request.init_from is not None:
        begin = located(request.init_from)
        if not request.resume:
            verify(begin)  # before data are made for nothing
        request = replace(request, init_from=begin)
    saved = read_run(request.out) if request.resume else None
    if saved is not None and saved.recipe_name != request.recipe:
        raise InvalidInput(
            f"{request.out} holds a run of {saved.recipe_name}, not of {request.recipe}",
            field="recipe",
        )
    if saved is None and latest_checkpoint(request.out) is not None:
        raise AlreadyExists(
            f"{request.out} holds a run already; add --resume, or choose another --out"
        )
    recipe = override(
        build_recipe(request.recipe) if saved is None else saved.recipe, request.overrides
    )
    pinned_before = saved.pinned if saved else {}
    place = Workplace(request.cache, report, pinned_before, _started_from(request, saved))
    rank = rank_of(os.environ)
    with join_ranks(rank, recipe.trainer.device):
        if rank.world > 1:
            # Data takes long and is made once; the others find it ready.
            main_first(rank, lambda: recipe.prepare(place))
        with _signs_of_life(recipe.trainer) as beat:
            # A resumed run takes every weight from its checkpoint.
            assembly = recipe.assemble(place, None if saved else request.init_from)
            pinned = {f"pinned.{k}": v for k, v in assembly.pinned.items()}
            trainer = Trainer(
                recipe.trainer,
                assembly.objective,
                assembly.data,
                request.out,
                name=request.recipe,
                description={**flatten(recipe), **pinned},
                callbacks=callbacks,
                rank=rank,
                weigh=assembly.weigh,
                peak_flops=peak_flops(recipe.trainer),
                beat=beat,
            )
            with _stopping_on_signals(trainer):
                return trainer.fit(
                    resume=request.resume,
                    on_locked=lambda: _write_run(request, recipe, assembly.pinned),
                )


def _started_from(request: RunRequest, saved: SavedRun | None) -> Path | None:
    return request.init_from if saved is None else saved.started_from


def on_main_rank() -> bool:
    """Whether this process writes and talks for the job that it is part of."""
    return rank_of(os.environ).main


@contextmanager
def _signs_of_life(config: TrainerConfig) -> Iterator[Beat]:
    """Where to send signs of life: nowhere unless a launcher (torchrun, ``--ranks``) started this
    process, for nobody would start a run again that ended because it hung."""
    file = os.environ.get(HEARTBEAT_VARIABLE, "")
    if "WORLD_SIZE" not in os.environ and not file:
        yield lambda phase, step: None
        return
    heartbeat = Heartbeat(config.parallel.hang_s, Path(file) if file else None)
    try:
        yield heartbeat
    finally:
        heartbeat.close()


@dataclass(frozen=True, eq=False)
class SavedRun:
    """What a run folder says about how it was started."""

    recipe_name: str
    recipe: Recipe
    init_from: str
    commands: tuple[str, ...]
    earlier: tuple[Mapping[str, Any], ...]
    """The training stages of the component that it was started from, oldest first."""
    pinned: Mapping[str, str]
    """Data folders and component hashes that the run stands on."""
    rung: str = ""
    """Of the ladder that asked for it."""

    @property
    def started_from(self) -> Path | None:
        """The component that the run began with, where it is here."""
        return located(Path(self.init_from)) if self.init_from else None


def read_run(folder: Path) -> SavedRun:
    """The recipe that a run folder was started with.

    Raises:
        NotFound: the folder holds no run.
        InvalidInput: its recipe does not fit this release.

    """
    path = folder / RECIPE_FILE
    if not path.is_file():
        raise NotFound(
            f"{folder} holds no training run ({RECIPE_FILE} is missing); start one with "
            "'omnireel train <recipe> --out FOLDER'"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        name, config = str(data["recipe"]), data["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is damaged: {error!r}", field="out") from error
    recipe: Recipe = from_json(type(build_recipe(name)), config)
    return SavedRun(
        recipe_name=name,
        recipe=recipe,
        init_from=str(data.get("init_from", "")),
        commands=tuple(data.get("commands", ())),
        earlier=tuple(data.get("earlier", ())),
        pinned=dict(data.get("pinned", {})),
        rung=str(data.get("rung", "")),
    )


def check_start(folder: Path, init_from: Path) -> None:
    """Refuse to go on with a run as if it had begun with another component than its own.

    Raises:
        InvalidInput: it began with another, or with none.
        NotFound: the folder holds no run.

    """
    began = read_run(folder).started_from
    if began is None or began.resolve() != located(init_from).resolve():
        raise InvalidInput(
            f"{folder} holds a run that began with {began or 'random weights'}, not with "
            f"{init_from}; leave --init-from out to continue it, or choose another --out",
            field="init_from",
        )


def prepare_data(request: RunRequest, report: Report) -> dict[str, str]:
    """Build a recipe's data and nothing else; returns its folders by name.

    A run that is training is not disturbed: it uses the samples that it started with, and takes
    more in when it is resumed with a larger ``data.count``.
    """
    recipe = override(build_recipe(request.recipe), request.overrides)
    return dict(recipe.prepare(Workplace(request.cache, report)))


def _write_run(request: RunRequest, recipe: Recipe, pinned: Mapping[str, str]) -> None:
    init_from, commands = "", [request.command]
    earlier: list[dict[str, Any]] = []
    if request.resume:
        saved = read_run(request.out)
        init_from, commands = saved.init_from, [*saved.commands, request.command]
        earlier = [dict(stage) for stage in saved.earlier]
    elif request.init_from is not None:
        init_from = portable(request.init_from)
        earlier = earlier_stages(load_component(request.init_from).card)
    data = {
        "recipe": request.recipe,
        "config": to_json(recipe),
        "init_from": init_from,
        "earlier": earlier,
        "commands": commands,
        "pinned": dict(pinned),
        "rung": request.rung,
    }
    write_text_atomic(request.out / RECIPE_FILE, json.dumps(data, indent=1) + "\n")


@contextmanager
def _stopping_on_signals(trainer: Trainer) -> Iterator[None]:
    """SIGINT and SIGTERM ask the trainer to stop (only possible in the main thread)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {n: signal.signal(n, lambda *_: trainer.request_stop()) for n in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
