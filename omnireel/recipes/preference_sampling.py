"""Preference pairs from the model itself: several clips for one prompt, ranked by the oracles.

1. Task number n of the mixture is drawn; ``candidates`` clips are generated for it, each from its
   own noise, exactly as the services would make them.
2. Every oracle of the task's capability scores each clip; the judge is their mean, where decibels
   count as a share of 50 dB.
3. The best and the worst make the pair, in random order. Scores no further apart than
   ``tie_margin`` are a tie, which is kept and has no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from omnireel.errors import InvalidInput
from omnireel.evaluate.judgement import Judgement, Viewer
from omnireel.evaluate.oracles import oracles_of
from omnireel.evaluate.perception import Perception, load_perception
from omnireel.generate.pipeline import GeneratorPipeline, seeded_noise
from omnireel.generate.settings import GenerationSettings
from omnireel.model.sequence import Segment
from omnireel.processes import Report, build_missing, one_thread
from omnireel.registry import verify
from omnireel.train.preferences import Candidate, PreferencePair, Verdict, write_pairs
from omnireel.train.shards import open_cache_folder, world_version
from omnireel.types import VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.holdout import Split
from omnireel.world.tasks import TaskSample
from omnireel.world.tasks.mix import TaskMix, default_weights, sample_mixed

JUDGE = "oracles"
FULL_DB = 50.0
"""Peak signal-to-noise ratio that counts as full marks: no eye sees a difference."""


@dataclass(frozen=True)
class PreferenceSamplingConfig:
    """Which prompts, how many clips for each, and when two of them are as good as each other."""

    prompts: int = 256
    candidates: int = 4
    num_inference_steps: int = 16
    tie_margin: float = 0.05
    format: VideoFormat = field(default_factory=lambda: VideoFormat(64, 64, 17, 8.0))
    weights: dict[str, float] = field(default_factory=default_weights)
    scenes: SceneDistribution = field(default_factory=SceneDistribution)
    seed: int = 50_000_000
    """First task number; far from those that training and evaluation draw."""
    split: Split = "train"
    round: int = 1
    shard_prompts: int = 8

    def __post_init__(self) -> None:
        if self.candidates < 2:
            raise InvalidInput("a pair needs 2 candidates or more", field="pairs.candidates")
        if self.prompts < 1 or self.shard_prompts < 1:
            raise InvalidInput("prompts must be 1 or more", field="pairs.prompts")
        if not self.tie_margin >= 0:
            raise InvalidInput("tie_margin must not be negative", field="pairs.tie_margin")
        TaskMix(self.weights)

    @property
    def num_shards(self) -> int:
        """Shards that hold ``prompts`` pairs."""
        return -(-self.prompts // self.shard_prompts)


def build_preferences(
    root: Path,
    config: PreferenceSamplingConfig,
    generator: Path,
    vae: Path,
    *,
    workers: int = 2,
    report: Report | None = None,
) -> Path:
    """Sample and judge what is missing; returns the folder of pairs.

    An interrupted build goes on at the first missing shard.

    Args:
        root: where caches live.
        config: what to sample.
        generator: component folder of the model that makes the clips.
        vae: component folder of its autoencoder.
        workers: processes, each with one thread.
        report: progress in shards.

    """
    content: dict[str, Any] = {k: v for k, v in asdict(config).items() if k != "prompts"}
    content |= {
        "kind": "preferences",
        "generator": verify(generator)["sha256"],
        "vae": verify(vae)["sha256"],
        "world": world_version(),
    }
    folder = open_cache_folder(root, "preferences", content)
    paths = [folder / f"pairs_{shard:06d}.json" for shard in range(config.num_shards)]
    make = partial(_sample_shard, config, generator, vae)
    build_missing(make, paths, workers=workers, report=report, first=prepare_worker)
    return folder


def prepare_worker() -> None:
    """One thread for a worker process."""
    one_thread()
    torch.set_num_threads(1)


def _sample_shard(
    config: PreferenceSamplingConfig, generator: Path, vae: Path, path: Path, shard: int
) -> None:
    pipeline = open_pipeline(generator, vae)
    first = config.seed + shard * config.shard_prompts
    pairs = [sample_pair(pipeline, config, first + i) for i in range(config.shard_prompts)]
    write_pairs(path.parent, shard, pairs)


@cache
def open_pipeline(generator: Path, vae: Path, device: str = "cpu") -> GeneratorPipeline:
    """The model of two component folders, loaded once in a process."""
    return GeneratorPipeline.open(generator, vae, device)


@cache
def _viewer_eyes() -> Perception:
    return load_perception()


def sample_pair(
    pipeline: GeneratorPipeline, config: PreferenceSamplingConfig, seed: int
) -> PreferencePair:
    """Generate, judge and pair the candidates of task number ``seed``."""
    sample, segments, made = sample_candidates(pipeline, config, seed)
    order = sorted(made, key=lambda c: c.scores["overall"])
    best, worst = order[-1], order[0]
    tie = best.scores["overall"] - worst.scores["overall"] <= config.tie_margin
    swap = bool(np.random.default_rng(seed).random() < 0.5)
    first, second = (worst, best) if swap else (best, worst)
    winner = Verdict.SECOND if swap else Verdict.FIRST
    return PreferencePair(
        capability=sample.capability,
        prompt=sample.prompt,
        segments=segments,
        first=first,
        second=second,
        verdicts=(Verdict.TIE if tie else winner,),
        judge=JUDGE,
        round=config.round,
    )


def sample_candidates(
    pipeline: GeneratorPipeline, config: PreferenceSamplingConfig, seed: int
) -> tuple[TaskSample, tuple[Segment, ...], list[Candidate]]:
    """Task number ``seed``, its encoded conditions, and its clips with the oracles' scores."""
    sample = sample_mixed(seed, config.format, TaskMix(config.weights), config.split, config.scenes)
    made = [
        _candidate(pipeline, config, sample, seed * config.candidates + i)
        for i in range(config.candidates)
    ]
    segments = pipeline.conditions.segments(sample.prompt, sample.media, config.format)
    return sample, segments, made


def _candidate(
    pipeline: GeneratorPipeline,
    config: PreferenceSamplingConfig,
    sample: TaskSample,
    seed: int,
) -> Candidate:
    settings = GenerationSettings(
        format=config.format,
        seed=seed,
        num_inference_steps=config.num_inference_steps,
        guidance=pipeline.defaults.guidance,
    )
    made = pipeline.generate(sample.prompt, sample.media, settings)
    channels, *shape = made.latents_CTHW.shape
    t, h, w = shape
    judgement = Judgement(made.clip, sample, Viewer(_viewer_eyes()))
    scores = judge_scores(sample.capability, judgement)
    noise = seeded_noise(seed, channels, (t, h, w), torch.device("cpu"))
    return Candidate(made.latents_CTHW.cpu(), noise, seed, scores)


def judge_scores(capability: str, judgement: Judgement) -> Mapping[str, float]:
    """Every oracle's answer, and their mean in 0..1 as "overall"."""
    answers = {o: o.score(judgement) for o in oracles_of(capability)}
    scores = {o: score for o, score in answers.items() if score is not None}
    shares = [min(s / FULL_DB, 1.0) if o.unit == "dB" else s for o, s in scores.items()]
    overall = sum(shares) / len(shares) if shares else 0.0
    return {**{o.name: score for o, score in scores.items()}, "overall": overall}
