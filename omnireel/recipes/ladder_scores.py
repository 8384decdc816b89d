"""What every rung is worth: the quick evaluation of its generator, beside the rung before.

``<rung>/results.json`` has the form that ``omnireel eval quick`` writes, so the gate and the
comparison of two evaluations read it as well. Cases and noise are the same for all rungs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from omnireel.evaluate.bootstrap import Interval
from omnireel.evaluate.cases import CaseConfig
from omnireel.evaluate.gate import Measured
from omnireel.evaluate.gate_scores import measure, read_results
from omnireel.evaluate.makers import PipelineMaker
from omnireel.evaluate.perception import load_perception
from omnireel.evaluate.quick import QuickProgress, evaluate_quick
from omnireel.evaluate.summary import to_json
from omnireel.generate.pipeline import GeneratorPipeline
from omnireel.recipes.climb import RungResult
from omnireel.registry import load_component, write_text_atomic
from omnireel.types import VideoFormat


@dataclass(frozen=True, eq=False)
class RungScores:
    """A measured rung: ``measured`` compares it with the generator rung before, if there is one."""

    result: RungResult
    num_function_evaluations: int
    """Network evaluations for one clip of the first capability."""
    measured: Measured


def score_rung(
    result: RungResult,
    config: CaseConfig,
    *,
    steps: int | None = None,
    on_progress: Callable[[QuickProgress], None] = lambda progress: None,
) -> Path:
    """Evaluate a generator rung at its own size; done once for each component and cases.

    With ``steps`` it is sampled with that many, and has a file of its own (``results-4.json``);
    without, as it samples by default.
    """
    name = "results.json" if steps is None else f"results-{steps}.json"
    return score_component(
        result.component,
        result.parts["vae"],
        result.component.parent / name,
        config,
        steps=steps,
        on_progress=on_progress,
    )


def score_component(
    component: Path,
    vae: Path,
    path: Path,
    config: CaseConfig,
    *,
    steps: int | None = None,
    on_progress: Callable[[QuickProgress], None] = lambda progress: None,
) -> Path:
    """Evaluate a generator at its own size and write its results to ``path``, unless they are
    there for the same weights and cases."""
    pipeline = GeneratorPipeline.open(component, vae)
    limits, (width, height) = pipeline.limits, pipeline.limits.sizes[0]
    config = replace(config, format=VideoFormat(width, height, limits.max_frames, limits.fps))
    steps = steps or pipeline.defaults.num_inference_steps
    if path.is_file():
        found = read_results(path)
        same_cases = found["cases"] == json.loads(json.dumps(asdict(config)))
        if found["model"]["version"] == pipeline.version and same_cases:
            return path
    evaluation = evaluate_quick(
        PipelineMaker(pipeline, steps),
        load_perception(),
        config,
        on_progress=on_progress,
    )
    data = to_json(evaluation)
    model = {"version": pipeline.version, "num_inference_steps": steps}
    write_text_atomic(path, json.dumps({**data, "model": model}, indent=1) + "\n")
    return path


def worse_than_its_start(result: RungResult) -> Interval | None:
    """GSB of a measured rung against the measured one that it started from, if the whole interval
    lies below 1; None: not worse beyond chance, or not measured."""
    start = result.stands_on.get("reference")
    paths = [result.component.parent / "results.json"]
    paths += [start.parent / "results.json"] if start is not None else []
    if len(paths) < 2 or not all(path.is_file() for path in paths):
        return None
    comparison = measure(read_results(paths[0]), read_results(paths[1])).comparison
    return comparison.gsb if comparison is not None and comparison.gsb.high < 1.0 else None


def compare_rungs(results: Sequence[RungResult]) -> list[RungScores]:
    """Scores of the generator rungs that were measured, each against the last one before it that
    was kept."""
    scores: list[RungScores] = []
    before: dict[str, Any] | None = None
    for result in results:
        path = result.component.parent / "results.json"
        if result.rung.part != "generator" or not path.is_file():
            continue
        found = read_results(path)
        steps = int(load_component(result.component).config["sampling"]["num_inference_steps"])
        evaluations = evaluations_of_clip(result.component, steps)
        scores.append(RungScores(result, evaluations, measure(found, before)))
        before = found if result.kept else before
    return scores


def evaluations_of_clip(component: Path, steps: int) -> int:
    """Network evaluations of a generator for one clip from text in ``steps`` steps."""
    guidance = load_component(component).config["sampling"]["guidance"]
    return steps * (2 if guidance["text"] != 1.0 else 1)


def ladder_table(scores: Sequence[RungScores]) -> str:
    """A Markdown table: rung, purpose, training, scores with intervals, GSB against the rung
    before."""
    capabilities = sorted(
        {name.split("/")[0] for s in scores for name in s.measured.scores if "/" in name}
    )
    lines = [
        "| Rung | For | Steps | Samples | Minutes | NFE | All | "
        + " | ".join(capabilities)
        + " | GSB against the rung before |",
        "|---" * (8 + len(capabilities)) + "|",
    ]
    for score in scores:
        card = load_component(score.result.component).card
        found = score.measured.scores
        shown = [found["mean"].shown() if "mean" in found else ""]
        shown += [_headline(found, capability) for capability in capabilities]
        comparison = score.measured.comparison
        gsb = ""
        if comparison is not None:
            counts = f"{comparison.good} / {comparison.same} / {comparison.bad}"
            gsb = f"{comparison.gsb.shown()} ({counts})"
            gsb += "" if score.result.kept else ", set aside"
        lines.append(
            f"| {score.result.rung.name} | {score.result.rung.purpose} | {card['steps']} | "
            f"{card['samples']} | {card['wall_time_s'] / 60:.0f} | "
            f"{score.num_function_evaluations} | " + " | ".join(shown) + f" | {gsb} |"
        )
    return "\n".join(lines) + "\n"


def _headline(found: Mapping[str, Interval], capability: str) -> str:
    names = [n for n in found if n.startswith(f"{capability}/") and n.count("/") == 1]
    return f"{names[0].split('/')[1]} {found[names[0]].shown()}" if names else ""
