"""``preference_round``: the model's own clips in pairs, judged, learned from, and compared.

By the oracles, or by people: then the round waits for files in ``folder/inbox``, which the page of
the step ``show_pairs`` saves. Every round has a folder of its own; one that failed is submitted
again and goes on. ``settings`` are those of the recipe (``field=value``, with spaces between), and
``copy_to`` is an object store for its checkpoints, of this round alone.

(kfp reads the annotations of workflows, so they are not postponed here.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfp import dsl

from omnireel.cli.launch.manifest import JobConfig
from omnireel.cli.launch.width import fitted
from omnireel.cli.parsing import several_settings
from omnireel.cli.preferences import tuning_recipes
from omnireel.errors import InvalidInput
from pipelines.components.verbs import VERBS
from pipelines.workflows.place import Place


@dataclass(frozen=True)
class PreferenceRound:
    """Who judges, and what is trained. The oracles know the procedural world only."""

    judge: str = "oracles"
    """``oracles`` or ``people``."""
    recipe: str = "preference-tiny"
    prompts: int = 256
    judges: int = 1
    """People who must have answered."""
    hours: float = 72.0
    """Longest time to wait for them."""
    capability: str = "C20"
    """On which the two models are compared,"""
    cases: int = 32
    """with so many cases."""
    gsb: float = 0.9
    """Least lower bound of good against bad cases for which the new model is a candidate."""

    def __post_init__(self) -> None:
        if self.judge not in ("oracles", "people"):
            raise InvalidInput(
                f"judge must be oracles or people, not {self.judge!r}", field="judge"
            )
        if self.recipe not in tuning_recipes():
            names = ", ".join(tuning_recipes())
            raise InvalidInput(
                f"{self.recipe!r} does not learn preferences; {names} do", field="recipe"
            )
        for name, least in {"prompts": 1, "judges": 1, "cases": 2}.items():
            if getattr(self, name) < least:
                raise InvalidInput(f"{name} must be {least} or more", field=name)
        if self.hours <= 0:
            raise InvalidInput("hours must be above 0", field="hours")


def check_tuning(
    config: PreferenceRound, arguments: Mapping[str, object], say: Callable[[str], None]
) -> None:
    """Refuse settings and a job that the tuning would refuse, after all have judged."""
    del say  # there is one recipe, so nothing is doubtful
    settings, job, folder = (str(arguments.get(n, "")) for n in ("settings", "job", "folder"))
    told = several_settings([settings])
    fitted(JobConfig.of_settings([job]), config.recipe, told, Path(folder) / "run")


def preference_round(config: PreferenceRound, place: Place) -> Any:
    """The workflow as a ``kfp.dsl`` pipeline."""
    named = _name_candidate(place)

    def pipeline(
        version: str,
        name: str,
        number: int = 1,
        folder: str = "/runs/preferences-1",
        cache: str = "/runs/cache",
        mlflow: str = "http://omnireel-mlflow:5000",
        job: str = "queue=omnireel",
        settings: str = "",
        copy_to: str = "",
    ) -> None:
        fetched = place(
            VERBS["fetch_model"], version=version, folder=f"{folder}/model", mlflow=mlflow
        )
        pairs = place(
            VERBS["sample_pairs"], folder=folder, prompts=config.prompts, number=number
        ).after(fetched)
        shown = place(VERBS["show_pairs"], folder=folder).after(pairs)
        judged = _judge(config, place, folder).after(shown)
        imported = place(VERBS["import_answers"], folder=folder).after(judged)
        tuned = place(
            VERBS["tune_model"], folder=folder, recipe=config.recipe, cache=cache, mlflow=mlflow,
            launcher=place.launcher, job=job, settings=settings, copy_to=copy_to,
        ).after(imported)  # fmt: skip
        exported = place(VERBS["export_model"], folder=folder, cache=cache).after(tuned)
        registered = place(
            VERBS["register_model"], folder=folder, name=name, parent=version, mlflow=mlflow
        ).after(exported)
        new = registered.outputs["version"]
        scores = [_score(config, place, ref, mlflow) for ref in (new, version)]
        compared = place(
            VERBS["compare_models"], results=scores[0], before=scores[1], gsb=config.gsb
        )
        named(answer=compared.outputs["answer"], version=new, mlflow=mlflow)

    made = dsl.pipeline(name="omnireel-preference-round", description=__doc__.partition("\n")[0])
    return made(pipeline)


def _name_candidate(place: Place) -> Any:
    """A new version that is good enough may be released (a branch, as in ``release``)."""

    def pipeline(answer: str, version: str, mlflow: str) -> None:
        with dsl.If(answer == "passed", name="good enough"):
            place(VERBS["set_alias"], version=version, alias="candidate", mlflow=mlflow)

    return dsl.pipeline(name="name-candidate")(pipeline)


def _judge(config: PreferenceRound, place: Place, folder: Any) -> Any:
    if config.judge == "oracles":
        return place(VERBS["judge_pairs"], folder=folder)
    return place(VERBS["wait_for_people"], folder=folder, judges=config.judges, hours=config.hours)


def _score(config: PreferenceRound, place: Place, version: Any, mlflow: Any) -> Any:
    """Scores of a version; of the same one, cases and image they are taken from the cache."""
    loaded = place(VERBS["load_model"], version=version, mlflow=mlflow)
    evaluated = place(
        VERBS["evaluate_model"], model=loaded.outputs["model"], capability=config.capability,
        count=config.cases, seed=0,
    )  # fmt: skip
    return evaluated.outputs["results"]
