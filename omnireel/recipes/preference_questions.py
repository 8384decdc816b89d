"""Questions for people: pairs of clips from the model itself that nobody has judged yet.

1. :func:`build_questions` samples several clips for each prompt, each from its own noise, and pairs
   neighbours. Until they are judged their verdict is a tie, which trains nothing.
2. :mod:`omnireel.recipes.preference_page` shows them without a word about seeds or scores.
3. :mod:`omnireel.recipes.preference_answers` joins the answers of one or more judges into a set
   that training reads. Noise, seeds and the oracles' scores are kept.

A round samples from what the round before has trained; its number stands in every pair.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from omnireel.errors import AlreadyExists, NotFound
from omnireel.generate.components import (
    latent_space_sha256,
    model_limits,
    sampling_defaults,
)
from omnireel.generate.pipeline import GeneratorPipeline
from omnireel.processes import Report, build_missing
from omnireel.recipes.generator_tiny import ALL_CAPABILITY_WEIGHTS
from omnireel.recipes.preference_sampling import (
    PreferenceSamplingConfig,
    open_pipeline,
    prepare_worker,
    sample_candidates,
)
from omnireel.registry import load_component, verify, write_text_atomic
from omnireel.train.preferences import PreferencePair, Verdict, write_pairs
from omnireel.train.shards import read_manifest, world_version
from omnireel.types import VideoFormat
from omnireel.world.distribution import CLEAR_SCENES

NOBODY = "nobody"
"""Judge of pairs that wait for people."""
_FIRST_SEED = 70_000_000
"""Far from the task numbers of training, evaluation and the oracles' pairs."""
_SEEDS_OF_A_ROUND = 100_000


def questions_of(
    generator: Path, *, prompts: int, candidates: int, round_number: int
) -> PreferenceSamplingConfig:
    """Questions to a model as it is served: its own format, steps and capabilities, and prompts
    that no other round has."""
    component = load_component(generator, kind="generator")
    limits, defaults = model_limits(component), sampling_defaults(component)
    width, height = limits.sizes[0]
    weights = {n: w for n, w in ALL_CAPABILITY_WEIGHTS.items() if n in limits.capabilities}
    return PreferenceSamplingConfig(
        prompts=prompts,
        candidates=candidates,
        num_inference_steps=defaults.num_inference_steps,
        format=VideoFormat(width, height, limits.max_frames, limits.fps),
        weights=weights or {"C20": 1.0},
        scenes=CLEAR_SCENES,
        seed=_FIRST_SEED + round_number * _SEEDS_OF_A_ROUND,
        round=round_number,
        shard_prompts=4,
    )


def build_questions(
    folder: Path,
    config: PreferenceSamplingConfig,
    generator: Path,
    vae: Path,
    *,
    workers: int = 2,
    device: str = "cpu",
    report: Report | None = None,
) -> Path:
    """Sample what is missing of the questions in ``folder``; an interrupted build goes on.

    Args:
        folder: where the pairs go.
        config: what to sample; ``candidates`` clips of a prompt make ``candidates // 2`` pairs.
        generator: component folder of the model that makes the clips.
        vae: component folder of its autoencoder.
        workers: processes, each with one thread.
        device: of the model, in every process.
        report: progress in shards.

    Raises:
        AlreadyExists: the folder holds other questions.

    """
    content = {
        **{k: v for k, v in asdict(config).items() if k != "prompts"},
        "kind": "questions",
        "generator": verify(generator)["sha256"],
        "latent_space": latent_space_sha256(vae),
        "world": world_version(),
    }
    manifest = json.loads(json.dumps(content))
    if (folder / "manifest.json").exists():
        if questions_manifest(folder) != manifest:
            raise AlreadyExists(
                f"{folder} holds questions of another model, round or size; choose another folder"
            )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomic(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    paths = [folder / f"pairs_{shard:06d}.json" for shard in range(config.num_shards)]
    make = partial(_sample_shard, config, generator, vae, device)
    build_missing(make, paths, workers=workers, report=report, first=prepare_worker)
    return folder


def _sample_shard(
    config: PreferenceSamplingConfig,
    generator: Path,
    vae: Path,
    device: str,
    path: Path,
    shard: int,
) -> None:
    pipeline = open_pipeline(generator, vae, device)
    first = config.seed + shard * config.shard_prompts
    pairs = [p for i in range(config.shard_prompts) for p in questions(pipeline, config, first + i)]
    write_pairs(path.parent, shard, pairs)


def questions(
    pipeline: GeneratorPipeline, config: PreferenceSamplingConfig, seed: int
) -> list[PreferencePair]:
    """The candidates of task number ``seed`` in pairs of neighbours.

    Which of two is first follows from their noise alone, so the order tells nothing.
    """
    sample, segments, made = sample_candidates(pipeline, config, seed)
    return [
        PreferencePair(
            capability=sample.capability,
            prompt=sample.prompt,
            segments=segments,
            first=first,
            second=second,
            verdicts=(Verdict.TIE,),
            judge=NOBODY,
            round=config.round,
        )
        for first, second in zip(made[::2], made[1::2], strict=False)
    ]


def questions_manifest(folder: Path) -> dict[str, Any]:
    """What the questions in a folder were sampled with.

    Raises:
        NotFound: there are none.

    """
    manifest = manifest_of(folder)
    if manifest.get("kind") != "questions":
        raise NotFound(
            f"{folder} holds no questions; make some with 'omnireel train preferences sample'"
        )
    return manifest


def manifest_of(folder: Path) -> dict[str, Any]:
    """What a folder of pairs says about itself; empty when it says nothing."""
    path = folder / "manifest.json"
    return read_manifest(folder) if path.is_file() else {}


def questions_hash(folder: Path) -> str:
    """Which questions a folder holds: the hash of its index files, which hash the tensors.

    Raises:
        NotFound: there are none.

    """
    paths = sorted(folder.glob("pairs_*.json"))
    if not paths:
        raise NotFound(f"{folder} holds no preference pairs yet")
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
