"""One case: generate, judge beside floor, ceiling and truth, and write it all down.

The floor is the same result held against the next case's facts; the ceiling is the exact answer
through autoencoder and last step of the system; the truth is the exact answer itself, so what is
missing there is the oracle's own error.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

from omnireel.enhancer import Enhancer, EnhancerSpec, open_enhancer
from omnireel.errors import InvalidInput
from omnireel.evaluate.bench.families import bench_oracles
from omnireel.evaluate.bench.stated import stated_oracles
from omnireel.evaluate.bench.suite import BenchCase, partner_of, read_index, sample_of
from omnireel.evaluate.judgement import Judgement, Viewer
from omnireel.evaluate.perception import load_perception
from omnireel.files import atomic_write
from omnireel.generate import GenerationSettings, GeneratorPipeline
from omnireel.generate.frames import frames_to_video, video_to_frames
from omnireel.media.sprites import write_sprite
from omnireel.mvl.prompt import Prompt
from omnireel.types import Clip
from omnireel.world.tasks import TaskSample

WORDS = ("precise", "vague", "enhanced")
COLUMNS = ("score", "floor", "ceiling", "truth")
CASES, CLIPS = "cases", "clips"
"""Sub-folders of a run: one JSON file per case, and what its page plays."""


@dataclass(frozen=True)
class Model:
    """The system under evaluation: component folders and how it samples."""

    generator: Path
    vae: Path
    num_inference_steps: int
    words: str = "precise"
    """One of WORDS: precise; careless; careless and rewritten by the shipped enhancer."""
    seed: int = 0
    """Of the noise: each case has its own, all of them other ones for another seed."""

    def __post_init__(self) -> None:
        if self.words not in WORDS:
            raise InvalidInput(f"words are {', '.join(WORDS)}, not {self.words!r}", field="words")


def prepare_process() -> None:
    """One thread: sums in another order would end in other last bits."""
    torch.set_num_threads(1)


def run_case(model: Model, folder: Path, path: Path, _index: int) -> None:
    """Make ``path``, the record ``<case id>.json``, and the clips beside it."""
    case = next(c for c in read_index() if c.id == path.stem)
    pipeline = _pipeline(model.generator, model.vae)
    sample = sample_of(case)
    started = time.process_time()
    prompt = _prompt(model, sample)
    result, evaluations = _generate(pipeline, model, sample, prompt)
    made = time.process_time()
    answers = judge_case(case, sample, result, exact_result(pipeline, sample))
    cost = {"making_cpu_s": made - started, "judging_cpu_s": time.process_time() - made}
    record: dict[str, Any] = {
        "id": case.id, "capability": case.capability, "split": case.split, "seed": case.seed,
        "tags": asdict(case.tags), "prompt": prompt.text,
        "trained": case.capability in pipeline.limits.capabilities,
        "evaluations": evaluations, "answers": answers,
        "clips": _write_clips(folder / CLIPS, case, sample, result),
        "cost": {name: round(value, 2) for name, value in cost.items()},
    }  # fmt: skip
    if model.words != "precise":
        record["stated"] = stated_oracles(sample.vague_prompt.text)
    atomic_write(path, (json.dumps(record, allow_nan=False) + "\n").encode())


@cache
def _pipeline(generator: Path, vae: Path) -> GeneratorPipeline:
    return GeneratorPipeline.open(generator, vae)


@cache
def _enhancer() -> Enhancer:
    return open_enhancer(EnhancerSpec())


def _prompt(model: Model, sample: TaskSample) -> Prompt:
    if model.words == "precise":
        return sample.prompt
    if model.words == "vague":
        return sample.vague_prompt
    return _enhancer().enhance(sample.vague_prompt, sample.media).prompt


def _generate(
    pipeline: GeneratorPipeline, model: Model, sample: TaskSample, prompt: Prompt
) -> tuple[Clip, int]:
    settings = GenerationSettings(
        format=sample.target.format,
        seed=sample.seed + 10_000_019 * model.seed,
        num_inference_steps=model.num_inference_steps,
        guidance=pipeline.defaults.guidance,
    )
    made = pipeline.generate(prompt, sample.media, settings)
    return made.clip, made.num_function_evaluations


@torch.inference_mode()
def exact_result(pipeline: GeneratorPipeline, sample: TaskSample) -> Clip:
    """The exact answer as well as the system could show it: its latents, decoded as a result is."""
    vae, target = pipeline.conditions.vae, sample.target
    video = frames_to_video(target.frames_THWC)[None].to(vae.latent_mean.device)
    shown = pipeline.conditions.decode(
        vae.encode(video)[0], sample.prompt, sample.media, target.format
    )
    return Clip(video_to_frames(shown), fps=target.fps)


def judge_case(
    case: BenchCase, sample: TaskSample, result: Clip, ceiling: Clip
) -> dict[str, dict[str, float | None]]:
    """Oracle -> column -> answer; None where the question does not arise."""
    viewer = Viewer(load_perception())
    other = sample_of(partner_of(case))
    judged = {
        "score": Judgement(result, sample, viewer),
        "floor": Judgement(result, other, viewer),
        "ceiling": Judgement(ceiling, sample, viewer),
        "truth": Judgement(sample.target, sample, viewer),
    }
    return {
        oracle.name: {column: oracle.score(judged[column]) for column in COLUMNS}
        for oracle in bench_oracles(case.capability)
    }


def _write_clips(
    folder: Path, case: BenchCase, sample: TaskSample, result: Clip
) -> list[dict[str, Any]]:
    """What was given, the exact answer and the result, as sprite sheets."""
    roles = {i.name: i.role.value for i in sample.prompt.inputs}
    given = [
        (roles.get(name, "element").replace("_", " "), name, clip)
        for name, clips in sample.media.items()
        for clip in clips
    ]
    shown = [*given, ("target", "", sample.target), ("result", "", result)]
    out = []
    for number, (role, name, clip) in enumerate(shown):
        sheet, shape = write_sprite(clip)
        file = f"{case.id}-{number}.webp"
        atomic_write(folder / file, sheet)
        out.append({"role": role, "name": name, "file": file, **shape})
    return out
