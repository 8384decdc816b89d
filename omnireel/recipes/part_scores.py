"""What the gate of a ladder looks at: each kind of part measured on fixed, held-back cases.

All three give what ``omnireel eval quick`` writes to ``results.json``, so one gate reads them all:

- a generator by the quick evaluation;
- a super-resolver by its gain in dB over plain enlargement of worn base clips (``upscale/gain``,
  see :mod:`omnireel.evaluate.upscaling`), and by the share of clips where there is any
  (``upscale/better``);
- an enhancer by the shares of :func:`omnireel.recipes.enhancer_scores.score`, prompt by prompt
  (``enhance/used``, ``enhance/prompts_intact``, ...).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.errors import InvalidInput
from omnireel.evaluate.cases import CaseConfig
from omnireel.evaluate.gate_scores import read_results
from omnireel.evaluate.makers import PipelineMaker
from omnireel.evaluate.oracles import BY_CAPABILITY
from omnireel.evaluate.perception import load_perception
from omnireel.evaluate.quick import evaluate_quick
from omnireel.evaluate.summary import to_json
from omnireel.evaluate.upscaling import evaluate_upscaler
from omnireel.generate import GeneratorPipeline, UpscalePipeline
from omnireel.generate.settings import ModelLimits
from omnireel.recipes.enhancer import held_out_lessons
from omnireel.recipes.enhancer_examples import SftDataConfig
from omnireel.recipes.enhancer_scores import score
from omnireel.recipes.ladder import Part
from omnireel.registry import verify, write_text_atomic
from omnireel.registry.versions import weights_hash
from omnireel.types import VideoFormat

_FIRST_LESSON = 5_000
"""Far behind the prompts that validation and export score."""


@dataclass(frozen=True)
class PartCases:
    """Which cases: ``count`` for each capability (clips, prompts), held-in ones of a seed that no
    other evaluation uses. No ``capabilities``: all that a generator was trained for."""

    count: int = 8
    capabilities: tuple[str, ...] = ()
    seed: int = 77

    def __post_init__(self) -> None:
        if self.count < 2:
            raise InvalidInput("a gate needs at least 2 cases", field="cases.count")

    def config(self, limits: ModelLimits) -> CaseConfig:
        """Cases at the first size and full length of a model."""
        names = self.capabilities or tuple(n for n in limits.capabilities if n in BY_CAPABILITY)
        width, height = limits.sizes[0]
        fmt = VideoFormat(width, height, limits.max_frames, limits.fps)
        return CaseConfig(names, self.count, held_out_share=0.0, seed=self.seed, format=fmt)


@dataclass(frozen=True)
class MeasuredPart:
    """A component folder to measure; ``vae`` is what generators and super-resolvers need, and
    ``device`` where these run (an enhancer runs on the CPU)."""

    part: Part
    component: Path
    vae: Path | None = None
    device: str = "cpu"


def part_results(
    measured: MeasuredPart, cases: PartCases, path: Path, report: Callable[[str], None]
) -> dict[str, Any]:
    """The results, from ``path`` when they are there for this content and these cases.

    Raises:
        InvalidInput: a part that has no evaluation, or no autoencoder for one that needs it.
        NotFound, IntegrityError: its files are missing or damaged, or do not belong together.

    """
    version = weights_hash(verify(measured.component))
    wanted = json.loads(json.dumps(asdict(cases)))
    if path.is_file():
        found = read_results(path)
        if found["model"]["version"] == version and found.get("part_cases") == wanted:
            return found
    report(f"measuring {measured.component}")
    data = _MEASURES[measured.part](measured, cases) if measured.part in _MEASURES else None
    if data is None:
        raise InvalidInput(f"a {measured.part} has no evaluation of its own", field="part")
    data |= {"model": {"version": version}, "part_cases": wanted}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(path, json.dumps(data, indent=1) + "\n")
    return data


def _generator(measured: MeasuredPart, cases: PartCases) -> dict[str, Any]:
    pipeline = GeneratorPipeline.open(measured.component, _vae(measured), measured.device)
    maker = PipelineMaker(pipeline, pipeline.defaults.num_inference_steps)
    return to_json(evaluate_quick(maker, load_perception(), cases.config(pipeline.limits)))


def _upscaler(measured: MeasuredPart, cases: PartCases) -> dict[str, Any]:
    pipeline = UpscalePipeline.open(measured.component, _vae(measured), measured.device)
    config = replace(cases.config(pipeline.limits), capabilities=("C20",))
    rows = []
    for found in evaluate_upscaler(pipeline, config):
        if found.base == "worn":  # as every base clip is that a generator made
            gain = found.psnr_dB["result"] - found.psnr_dB["enlarged"]
            sample, scores = found.case.sample, {"better": gain > 0, "gain": gain}
            rows.append(_row(found.case.name, sample.seed, sample.prompt.text, scores))
    return _results("upscale", {"better": "", "gain": "dB"}, rows)


def _enhancer(measured: MeasuredPart, cases: PartCases) -> dict[str, Any]:
    enhancer = TinyEnhancer.load(measured.component)
    lessons = held_out_lessons(SftDataConfig(), cases.count, first=_FIRST_LESSON)
    rows = []
    for number, lesson in enumerate(lessons):
        scores = score(enhancer, [lesson])
        shares = {n: v for n, v in scores.items() if not n.startswith("latency")}
        name = f"enhance/train/{number}"
        rows.append(_row(name, _FIRST_LESSON + number, lesson.prompt.text, shares))
    names = dict.fromkeys(n for row in rows for n in row["scores"]["precise"]["score"])
    return _results("enhance", dict.fromkeys(names, ""), rows)


def _row(name: str, seed: int, prompt: str, scores: Mapping[str, float]) -> dict[str, Any]:
    # "train" puts the case beside the held-in ones: its score has no suffix in the gate.
    plain = {n: float(value) for n, value in scores.items()}
    asked = {"name": name, "split": "train", "seed": seed, "prompt": prompt}
    return {**asked, "scores": {"precise": {"score": plain}}}


def _results(
    capability: str, units: Mapping[str, str], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    metrics = [{"oracle": name, "unit": unit} for name, unit in units.items()]
    return {
        "format_version": 1,
        "wordings": ["precise"],
        "capabilities": {capability: {"metrics": metrics, "cases": rows}},
    }


def _vae(measured: MeasuredPart) -> Path:
    if measured.vae is None:
        raise InvalidInput(
            f"{measured.component} needs the autoencoder that it was trained on", field="vae"
        )
    return measured.vae


_MEASURES: Mapping[Part, Callable[[MeasuredPart, PartCases], dict[str, Any]]] = {
    "generator": _generator,
    "upscaler": _upscaler,
    "enhancer": _enhancer,
}
