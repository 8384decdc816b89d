"""A climb whose rungs are trained as jobs elsewhere: what fits, what runs, where copies go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from omnireel.cli.launch.recipe import RecipeRun, launch
from omnireel.cli.launch.width import unfit_rungs
from omnireel.cli.parsing import several_settings

if TYPE_CHECKING:
    from omnireel.recipes.climb import RunRung
    from omnireel.recipes.ladder import Ladder
    from omnireel.recipes.run import RunRequest


def check_widths(
    rungs: Ladder, folder: Path, ends: tuple[str, str], settings: Sequence[str],
    job: Sequence[str], *, smoke: bool,
) -> None:  # fmt: skip
    """Refuse a job that a rung cannot use before the first is trained; those done may be."""
    from omnireel.recipes.rung_work import rungs_to_climb

    climbed = rungs_to_climb(rungs, *ends, settings)[1]
    ahead = [rung for rung in climbed if not (folder / rung.name / "component").exists()]
    for error in unfit_rungs(ahead, job, smoke=smoke).values():
        raise error


def below(place: str, run: Path) -> str:
    """Where in an object store the checkpoints of a rung are, whose folder is above ``run``."""
    if not place:
        return ""
    parts = urlsplit(place)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{run.parent.name}"))


def as_jobs(mlflow: str, above: str, job: Sequence[str], copy_to: str) -> RunRung:
    """Trains each rung as a TrainJob; exports, versions and scores are made here."""

    def run(request: RunRequest) -> bool:
        launch(
            RecipeRun(
                request.recipe, request.out, request.cache, mlflow, request.init_from,
                request.overrides, request.out.parent.name, above, below(copy_to, request.out),
            ),
            job,
        )  # fmt: skip
        return True

    return run


def check_jobs(
    size: str, settings: str, job: str, say: Callable[[str], None], *, smoke: bool, last: str = ""
) -> None:
    """What is certain about the jobs of a climb before it is begun, or gone on with, elsewhere.

    ``say`` hears of rungs below the last that cannot be trained so widely: they may be done.

    Raises:
        InvalidInput: the last rung cannot, or a setting is wrong.
        NotFound: ``last`` is no rung.

    """
    from omnireel.recipes.ladder import build_ladder
    from omnireel.recipes.rung_work import rungs_to_climb

    climbed = rungs_to_climb(build_ladder(size), "", last, several_settings([settings]))[1]
    unfit = unfit_rungs(climbed, [job], smoke=smoke)
    if (certain := unfit.pop(climbed[-1].name, None)) is not None:
        raise certain
    for error in unfit.values():
        say(f"unless this rung is done: {error.message}")
