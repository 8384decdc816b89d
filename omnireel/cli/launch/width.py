"""Whether a recipe can be trained as widely as a job asks; asked before the job is submitted.

Otherwise every pod would find out by itself, after a wait in the queue, and be started again by the
Trainer until that gives up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from omnireel.cli.launch.manifest import JobConfig
from omnireel.errors import InvalidInput

if TYPE_CHECKING:
    from omnireel.recipes.ladder import Rung
    from omnireel.train import TrainerConfig


def fitted(config: JobConfig, recipe: str, overrides: Sequence[str], folder: Path) -> JobConfig:
    """The job with its number of ranks, as far as the recipe decides it.

    Left alone, the Trainer starts a rank for every GPU, and without GPUs for every CPU. A recipe
    that trains on CPUs uses all of a node's from one rank.

    Args:
        config: what was asked for.
        recipe: its name.
        overrides: ``field=value`` settings of it.
        folder: of the run. Where it is in sight and holds a run, that one's settings come first, as
            they do when it is resumed.

    Raises:
        InvalidInput: the recipe cannot be trained that way, or there is no such recipe or field.

    """
    from omnireel.recipes import build_recipe
    from omnireel.recipes.config import override
    from omnireel.recipes.run import RECIPE_FILE, read_run

    begun = (folder / RECIPE_FILE).is_file()
    present = read_run(folder).recipe if begun else build_recipe(recipe)
    trainer = override(present, overrides).trainer
    check_width(trainer, config, recipe)
    if trainer.device == "cpu" and not config.processes:
        return replace(config, processes=1)
    return config


def unfit_rungs(
    rungs: Sequence[Rung], job: Sequence[str], *, smoke: bool
) -> dict[str, InvalidInput]:
    """Why rungs of a ladder, which have their settings, cannot be trained that way, by name.

    Raises:
        InvalidInput: a setting of the job, or of a rung, is wrong in itself.

    """
    from omnireel.recipes import build_recipe
    from omnireel.recipes.config import override

    config = JobConfig.of_settings(job)
    found: dict[str, InvalidInput] = {}
    for rung in rungs:
        recipe, overrides = rung.plan(smoke=smoke)
        trainer = override(build_recipe(recipe), overrides).trainer
        try:
            check_width(trainer, config, f"{rung.name} ({recipe})")
        except InvalidInput as error:
            found[rung.name] = error
    return found


def check_width(trainer: TrainerConfig, config: JobConfig, what: str) -> None:
    """Hold the ranks and devices of a job against what a recipe says of them.

    A number that only the runtime knows counts as one: then a refusal is certain, and the ranks
    find out about the rest.

    Raises:
        InvalidInput: GPUs that nothing would use, or ranks that cannot share the batches of a step.

    """
    if trainer.device == "cpu" and config.gpus:
        raise InvalidInput(
            f"the job asks for {config.gpus} GPUs on each node, and {what} trains on CPUs; set "
            "trainer.device=cuda, or leave gpus out",
            field="trainer.device",
        )
    if config.gpus and config.processes and config.gpus != config.processes:
        raise InvalidInput(
            f"the job asks for {config.processes} ranks and {config.gpus} GPUs on each node, and "
            f"each rank uses one GPU; leave processes out, or set processes={config.gpus}",
            field="job.processes",
        )
    ranks = (config.nodes or 1) * (config.processes or config.gpus or 1)
    degree = trainer.parallel.ulysses
    exactly = bool(config.processes or config.gpus) or trainer.device == "cpu"
    if config.nodes and exactly and ranks % degree:
        raise InvalidInput(
            f"{ranks} ranks cannot be cut into groups of {degree}; set trainer.parallel.ulysses to "
            f"a divisor of {ranks} for {what}",
            field="trainer.parallel.ulysses",
        )
    if trainer.accumulate * degree % ranks:
        least = ranks // degree if ranks % degree == 0 else ranks
        raise InvalidInput(
            f"{ranks} ranks cannot share the {trainer.accumulate} batches of a step of {what}; set "
            f"trainer.accumulate to a multiple of {least} (a step averages over that many batches, "
            "on any number of ranks)",
            field="trainer.accumulate",
        )
