"""One run of a recipe on this machine: in this process, or in several that are supervised."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace

import typer

from omnireel.cli.launch.recipe import RecipeRun
from omnireel.cli.run_output import data_report, run_callbacks
from omnireel.errors import AlreadyExists, NotFound
from omnireel.recipes.run import RunRequest, check_start, on_main_rank, run_recipe
from omnireel.train.checkpoint import latest_checkpoint
from omnireel.train.supervise import Supervisor, SupervisorConfig


def resumes(run: RecipeRun, *, resume: bool, go_on: bool) -> bool:
    """Whether training starts from the run's last checkpoint; ``go_on``: if there is one.

    Raises:
        InvalidInput: the run that is resumed began with another component than ``run.init_from``.

    """
    resume = resume or (go_on and latest_checkpoint(run.out) is not None)
    if resume and run.init_from is not None:
        check_start(run.out, run.init_from)
    return resume


def train_here(run: RecipeRun, *, resume: bool, go_on: bool) -> bool:
    """Train in this process, which may be one that torchrun started; returns whether the run was
    stopped early. With ``go_on`` nobody is told how to resume: that is up to whoever started us."""
    request = RunRequest(
        recipe=run.recipe,
        out=run.out,
        cache=run.cache,
        resume=resume,
        init_from=run.init_from,
        overrides=tuple(run.overrides),
        command=shlex.join(["omnireel", *sys.argv[1:]]),
    )
    named = {"name": run.name, "parent": run.parent, "copy_to": run.copy_to}
    callbacks = run_callbacks(run.mlflow, run.out, **named) if on_main_rank() else ()
    result = run_recipe(request, callbacks, data_report())
    if on_main_rank() and not (result.stopped_early and go_on):
        typer.echo(
            f"{run.out}: step {result.step}, {result.elapsed_s / 60:.1f} min, "
            f"{result.num_samples} samples, {result.skipped_steps} steps skipped"
            + (" (stopped early; resume with --resume)" if result.stopped_early else "")
        )
    return result.stopped_early


def train_supervised(run: RecipeRun, ranks: int, *, resume: bool) -> bool:
    """Start the same verb once per rank, without ``--ranks``, until all are done; returns whether
    they were asked to stop before.

    Raises:
        AlreadyExists: the folder holds a run and ``resume`` is not set.
        NotFound: ``resume`` is set, and there is nothing to resume.

    """
    there = latest_checkpoint(run.out) is not None
    if there and not resume:
        raise AlreadyExists(f"{run.out} holds a run already; add --resume, or choose another --out")
    if resume and not there:
        raise NotFound(
            f"{run.out} holds no checkpoint; leave --resume out, or give the run's --out"
        )
    omnireel = [sys.executable, "-m", "omnireel.cli.main"]
    # A resumed run takes every weight from its checkpoint.
    resumed = [*omnireel, *replace(run, init_from=None).words("--resume")]
    fresh = [*omnireel, *run.words("")]
    threads = str(max(1, (os.cpu_count() or 1) // ranks))
    supervision = Supervisor(
        SupervisorConfig(ranks),
        run.out,
        lambda again: resumed if again else fresh,
        lambda: latest_checkpoint(run.out),
        environment={"OMP_NUM_THREADS": threads, **os.environ},
        say=lambda line: typer.echo(line, err=True),
    ).work()
    return supervision.stopped
