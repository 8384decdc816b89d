"""``release``: measured against the champion, tried as a canary, then promoted or taken back.

Only pinned versions are served. ``canary`` and ``service`` are places of ``omnireel rollout``;
``models`` is the folder that versions are put into, and ``served`` the same one as services see it.

(kfp reads the annotations of workflows, so they are not postponed here.)
"""

from dataclasses import dataclass
from typing import Any

from kfp import dsl

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


def release(config: Release, place: Place) -> Any:
    """The workflow as a ``kfp.dsl`` pipeline."""
    flag = "--smoke" if config.smoke else "--no-smoke"

    def pipeline(
        version: str,
        canary: str,
        canary_address: str,
        service: str,
        folder: str = "/runs/release",
        models: str = "/runs/models",
        served: str = "/weights/models",
        mlflow: str = "http://omnireel-mlflow:5000",
    ) -> None:
        judged = place(
            VERBS["judge_release"], version=version, size=config.size, smoke=flag, folder=folder,
            mlflow=mlflow,
        )  # fmt: skip
        with dsl.If(judged.outputs["answer"] == "passed", name="gate passed"):
            model = f"{served}/{version}"
            named = place(VERBS["set_alias"], version=version, alias="canary", mlflow=mlflow)
            fetched = place(
                VERBS["fetch_model"], version=version, folder=f"{models}/{version}", mlflow=mlflow,
            )  # fmt: skip
            tried = place(
                VERBS["put_into_service"], target=canary, model=model, version=version
            ).after(named, fetched)
            watched = place(
                VERBS["watch_service"], address=canary_address, requests=config.requests,
                max_failures=config.max_failures,
            ).after(tried)  # fmt: skip
            with dsl.If(watched.outputs["answer"] == "passed", name="canary well"):
                promoted = place(
                    VERBS["promote_version"], version=version, verdict=judged.outputs["verdict"],
                    mlflow=mlflow,
                )  # fmt: skip
                place(
                    VERBS["put_into_service"], target=service, model=model, version=version
                ).after(promoted)
            with dsl.Else(name="canary ill"):
                place(VERBS["take_back"], target=canary)

    made = dsl.pipeline(name="omnireel-release", description=__doc__.partition("\n")[0])
    return made(pipeline)
