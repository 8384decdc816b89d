"""``train_ladder``: a whole model, every rung a step, with a gate between two of them.

In a cluster each rung trains as a TrainJob, which waits in a queue of Kueue; ``job`` says how wide
it is (``nodes=2,gpus=8``), and ``settings`` what its recipes are told for that
(``*.trainer.device=cuda *.trainer.accumulate=16``: a batch for each rank). Checkpoints are also
copied to the object store ``copy_to``, each rung's below its name.

All steps work on one climb's folder, and a rung that is done stays done. So a run that failed or
was cancelled is submitted again, with the same folder, and goes on at the last checkpoint.

(kfp reads the annotations of workflows, so they are not postponed here.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kfp import dsl

from omnireel.cli.ladder import rung_names
from omnireel.cli.ladder_jobs import check_jobs
from omnireel.errors import InvalidInput
from pipelines.components.verbs import VERBS
from pipelines.workflows.place import Place


@dataclass(frozen=True)
class TrainLadder:
    """Which ladder. ``smoke`` tries every joint in minutes, with debug recipes."""

    size: str = "tiny"
    smoke: bool = False
    cases: int = 8
    """Cases per capability on which each generator rung is scored, for the gates; 0: none."""
    last: str = ""
    """Stop after this rung, and promote nothing; empty: climb to the top."""

    def __post_init__(self) -> None:
        if self.cases < 0:
            raise InvalidInput("cases must not be negative", field="cases")
        if self.last and self.last not in rung_names(self.size):
            names = ", ".join(rung_names(self.size))
            raise InvalidInput(f"{self.last!r} is not a rung; valid: {names}", field="last")


def check_climb(
    config: TrainLadder, arguments: Mapping[str, object], say: Callable[[str], None]
) -> None:
    """Refuse settings and jobs that the climb's last step would refuse; ``say`` hears of doubts."""
    settings, job = (str(arguments.get(name, "")) for name in ("settings", "job"))
    check_jobs(config.size, settings, job, say, smoke=config.smoke, last=config.last)


def train_ladder(config: TrainLadder, place: Place) -> Any:
    """The workflow as a ``kfp.dsl`` pipeline."""
    names = rung_names(config.size)
    *below, top = names[: names.index(config.last) + 1] if config.last else names
    flag = "--smoke" if config.smoke else "--no-smoke"

    def pipeline(
        folder: str = "/runs/ladder",
        cache: str = "/runs/cache",
        mlflow: str = "http://omnireel-mlflow:5000",
        job: str = "queue=omnireel",
        settings: str = "",
        copy_to: str = "",
    ) -> None:
        common = {
            "size": config.size, "smoke": flag, "folder": folder, "cache": cache,
            "cases": config.cases, "mlflow": mlflow, "launcher": place.launcher, "job": job,
            "settings": settings, "copy_to": copy_to,
        }  # fmt: skip
        before = None
        for rung in below:
            climbed = place(VERBS["climb_rung"], rung=rung, **common).set_display_name(rung)
            if before is not None:
                climbed.after(before)
            before = place(VERBS["gate_rung"], size=config.size, folder=folder, rung=rung)
            before.set_display_name(f"gate after {rung}").after(climbed)
        last = place(VERBS["finish_climb"], rung=top, **common).set_display_name(top)
        if before is not None:
            last.after(before)

    name = f"omnireel-train-ladder-{config.size}{'-smoke' if config.smoke else ''}"
    described = dsl.pipeline(name=name, description=__doc__.partition("\n")[0])
    return described(pipeline)
