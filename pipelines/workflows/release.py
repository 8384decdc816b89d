"""``release``: measured against the champion, tried as a canary, then promoted or taken back.

However a run fails, its last step lets nothing be served that did not become the champion; a run
that is cancelled has no last step (``omnireel rollout settle`` does the same by hand).

Only pinned versions are served. ``canary`` and ``service`` are places of ``omnireel rollout``;
``models`` is the folder that versions are put into, and ``served`` the same one as services see it.

A branch is a pipeline of its own that is given the answer: kfp's local runner looks for answers
among the inputs only, and passes a branch on a step's output over.

(kfp reads the annotations of workflows, so they are not postponed here.)
"""

from dataclasses import dataclass
from typing import Any

from kfp import dsl
from kfp.dsl import Input, Metrics

from omnireel.cli.rollout.targets import WaitConfig
from omnireel.cli.rollout.watching import WatchConfig
from pipelines.components.verbs import VERBS
from pipelines.workflows.place import Place


@dataclass(frozen=True)
class Release:
    """How a release is judged and watched."""

    size: str = "tiny"
    """Whose gates (``omnireel registry judge``)."""
    smoke: bool = False
    requests: int = 20
    """Videos that the canary must make,"""
    max_failures: int = 0
    """of which so many may fail."""

    def __post_init__(self) -> None:
        WatchConfig(self.requests, self.max_failures)  # it is asked when the canary is served


def release(config: Release, place: Place) -> Any:
    """The workflow as a ``kfp.dsl`` pipeline."""
    flag = "--smoke" if config.smoke else "--no-smoke"
    tried = _canary(config, place)

    def pipeline(
        version: str,
        canary: str,
        canary_address: str,
        service: str,
        folder: str = "/runs/release",
        models: str = "/runs/models",
        served: str = "/weights/models",
        mlflow: str = "http://omnireel-mlflow:5000",
        wait_s: float = WaitConfig().replica_s,
    ) -> None:
        settled = place(
            VERBS["settle_release"], version=version, model=f"{served}/{version}", canary=canary,
            service=service, wait_s=wait_s, mlflow=mlflow,
        )  # fmt: skip
        with dsl.ExitHandler(settled, name="trial"):
            judged = place(
                VERBS["judge_release"], version=version, size=config.size, smoke=flag,
                folder=folder, mlflow=mlflow,
            )  # fmt: skip
            tried(
                answer=judged.outputs["answer"], verdict=judged.outputs["verdict"],
                version=version, canary=canary, canary_address=canary_address, service=service,
                models=models, served=served, wait_s=wait_s, mlflow=mlflow,
            )  # fmt: skip

    made = dsl.pipeline(name="omnireel-release", description=__doc__.partition("\n")[0])
    return made(pipeline)


def _canary(config: Release, place: Place) -> Any:
    """What follows a gate that was passed: the version is tried on its own."""
    ended = _end(place)

    def pipeline(
        answer: str, verdict: Input[Metrics], version: str, canary: str, canary_address: str,
        service: str, models: str, served: str, wait_s: float, mlflow: str,
    ) -> None:  # fmt: skip
        with dsl.If(answer == "passed", name="gate passed"):
            named = place(VERBS["set_alias"], version=version, alias="canary", mlflow=mlflow)
            fetched = place(
                VERBS["fetch_model"], version=version, folder=f"{models}/{version}", mlflow=mlflow
            )
            put = place(
                VERBS["put_into_service"],
                target=canary,
                model=f"{served}/{version}",
                version=version,
                wait_s=wait_s,
            ).after(named, fetched)
            watched = place(
                VERBS["watch_service"], address=canary_address, requests=config.requests,
                max_failures=config.max_failures,
            ).after(put)  # fmt: skip
            ended(
                answer=watched.outputs["answer"], verdict=verdict, version=version, canary=canary,
                service=service, served=served, wait_s=wait_s, mlflow=mlflow,
            )  # fmt: skip

    return dsl.pipeline(name="canary")(pipeline)


def _end(place: Place) -> Any:
    """What follows a canary: it is served and promoted, or taken back.

    In this order: new pods that do not come up never were the champion's.
    """

    def pipeline(
        answer: str, verdict: Input[Metrics], version: str, canary: str, service: str, served: str,
        wait_s: float, mlflow: str,
    ) -> None:  # fmt: skip
        with dsl.If(answer == "passed", name="canary well"):
            put = place(
                VERBS["put_into_service"], target=service, model=f"{served}/{version}",
                version=version, wait_s=wait_s,
            )  # fmt: skip
            place(VERBS["promote_version"], version=version, verdict=verdict, mlflow=mlflow).after(
                put
            )
        with dsl.Else(name="canary ill"):
            place(VERBS["take_back"], target=canary, model=f"{served}/{version}", wait_s=wait_s)

    return dsl.pipeline(name="end")(pipeline)
