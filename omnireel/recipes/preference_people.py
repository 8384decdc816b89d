"""Preference pairs that people judge: questions, a page to answer them on, answers back as pairs.

1. :func:`build_questions` samples several clips for each prompt, each from its own noise, and pairs
   neighbours. Nobody has judged them: their verdict is a tie, which trains nothing.
2. :mod:`omnireel.recipes.preference_page` shows them without a word about seeds or scores.
3. :func:`import_answers` joins the answers of one or more judges into a set that training reads
   (``judged`` of the preference recipe). Noise, seeds and the oracles' scores are kept.

A round samples from what the round before has trained; its number stands in every pair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from omnireel.errors import AlreadyExists, InvalidInput, NotFound
from omnireel.generate.components import (
    latent_space_sha256,
    model_limits,
    sampling_defaults,
)
from omnireel.generate.pipeline import GeneratorPipeline
from omnireel.recipes.generator import CLEAR_SCENES, TINY_CAPABILITY_WEIGHTS
from omnireel.recipes.preference_sampling import (
    PreferenceSamplingConfig,
    open_pipeline,
    prepare_worker,
    sample_candidates,
)
from omnireel.registry import load_component, verify, write_text_atomic
from omnireel.train.preferences import PreferencePair, PreferenceSet, Verdict, write_pairs
from omnireel.train.shards import Report, build_missing, read_manifest, world_version
from omnireel.types import VideoFormat

NOBODY = "nobody"
"""Judge of pairs that wait for people."""
FORMAT_VERSION = 1
_PAIRS_PER_SHARD = 16
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
    weights = {n: w for n, w in TINY_CAPABILITY_WEIGHTS.items() if n in limits.capabilities}
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
    report: Report | None = None,
) -> Path:
    """Sample what is missing of the questions in ``folder``; an interrupted build goes on.

    Args:
        folder: where the pairs go.
        config: what to sample; ``candidates`` clips of a prompt make ``candidates // 2`` pairs.
        generator: component folder of the model that makes the clips.
        vae: component folder of its autoencoder.
        workers: processes, each with one thread.
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
        if read_manifest(folder) != manifest:
            raise AlreadyExists(
                f"{folder} holds questions of another model, round or size; choose another folder"
            )
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomic(folder / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    paths = [folder / f"pairs_{shard:06d}.json" for shard in range(config.num_shards)]
    make = partial(_sample_shard, config, generator, vae)
    build_missing(make, paths, workers=workers, report=report, first=prepare_worker)
    return folder


def _sample_shard(
    config: PreferenceSamplingConfig, generator: Path, vae: Path, path: Path, shard: int
) -> None:
    pipeline = open_pipeline(generator, vae)
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


def questions_hash(folder: Path) -> str:
    """Which questions a folder holds: the hash of its index files, which hash the tensors.

    Raises:
        NotFound: there are none.

    """
    paths = sorted(folder.glob("pairs_*.json"))
    if not paths:
        raise NotFound(f"{folder} holds no preference pairs; make some with 'preferences sample'")
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Answers:
    """One judge's verdicts by pair number; questions that were passed over are not in it."""

    judge: str
    verdicts: Mapping[int, Verdict]


def read_answers(path: Path, expected: str, count: int) -> Answers:
    """The file that the page saves.

    Args:
        path: JSON.
        expected: :func:`questions_hash` of the questions that it must be about.
        count: how many there are.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is another file, about other questions, or has an unknown verdict.

    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}; the page's Save button writes one")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version, about, judge = data["format_version"], data["questions"], str(data["judge"])
        verdicts = {int(n): Verdict(v) for n, v in data["answers"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is not what the page saves ({error!r})", field="answers"
        ) from error
    if version != FORMAT_VERSION:
        raise InvalidInput(
            f"{path} has format version {version}; {FORMAT_VERSION} is known", field="answers"
        )
    if about != expected:
        raise InvalidInput(
            f"{path} answers other questions ({str(about)[:12]}, not {expected[:12]}); import it "
            "with the folder that its page was made from",
            field="answers",
        )
    if not judge.strip():
        raise InvalidInput(f"{path} does not say who judged", field="judge")
    if wrong := [n for n in verdicts if not 0 <= n < count]:
        raise InvalidInput(f"{path} answers pair {wrong[0]} of {count}", field="answers")
    return Answers(judge.strip(), verdicts)


@dataclass(frozen=True)
class Imported:
    """What an import made. ``agreement``: share of equal verdicts over all pairs of judges who
    answered the same question; None where no two did."""

    pairs: int
    ties: int
    unanswered: int
    judges: tuple[str, ...]
    agreement: float | None


def import_answers(folder: Path, paths: Sequence[Path], out: Path) -> Imported:
    """Write the answered questions of ``folder`` with their verdicts to ``out``.

    Of several judges each has one vote; where the votes for both sides are equal, it is a tie.

    Raises:
        InvalidInput: no answers, a file that does not fit, or a judge with two files.
        AlreadyExists: ``out`` holds pairs already.

    """
    found = PreferenceSet(folder)
    expected = questions_hash(folder)
    given = [read_answers(path, expected, len(found)) for path in paths]
    judges = [answers.judge for answers in given]
    if twice := sorted({judge for judge in judges if judges.count(judge) > 1}):
        raise InvalidInput(f"{twice[0]} answers twice; give one file for each judge", field="judge")
    joined = joined_verdicts(given)
    if not joined:
        raise InvalidInput("nobody has answered any question yet", field="answers")
    if any(out.glob("pairs_*.json")):
        raise AlreadyExists(f"{out} holds pairs already; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    manifest = {**read_manifest(folder), "kind": "judged", "judges": judges, "questions": expected}
    write_text_atomic(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    numbers = sorted(joined)
    judge = ", ".join(judges)
    for shard, start in enumerate(range(0, len(numbers), _PAIRS_PER_SHARD)):
        pairs = [
            replace(found.pair(n), verdicts=(joined[n],), judge=judge)
            for n in numbers[start : start + _PAIRS_PER_SHARD]
        ]
        write_pairs(out, shard, pairs)
    return Imported(
        pairs=len(numbers),
        ties=sum(verdict is Verdict.TIE for verdict in joined.values()),
        unanswered=len(found) - len(numbers),
        judges=tuple(judges),
        agreement=agreement(given),
    )


def joined_verdicts(given: Sequence[Answers]) -> dict[int, Verdict]:
    """One verdict for every question that anyone answered."""
    votes: dict[int, int] = {}
    for answers in given:
        for number, verdict in answers.verdicts.items():
            votes[number] = votes.get(number, 0) + verdict.sign
    return {
        number: Verdict.TIE if sum_ == 0 else Verdict.FIRST if sum_ > 0 else Verdict.SECOND
        for number, sum_ in votes.items()
    }


def agreement(given: Sequence[Answers]) -> float | None:
    """See :class:`Imported`."""
    equal: list[bool] = []
    for one, other in combinations(given, 2):
        common = one.verdicts.keys() & other.verdicts.keys()
        equal += [one.verdicts[n] is other.verdicts[n] for n in common]
    return sum(equal) / len(equal) if equal else None


def check_judged(folder: Path, vae: Path) -> Mapping[str, Any]:
    """The manifest of a judged set whose latents ``vae`` can read.

    Raises:
        InvalidInput: it is no judged set, or one of another autoencoder.

    """
    manifest = read_manifest(folder)
    if manifest.get("kind") != "judged":
        raise InvalidInput(
            f"{folder} holds no judged pairs; import answers with 'preferences import'",
            field="judged",
        )
    if manifest["latent_space"] != latent_space_sha256(vae):
        raise InvalidInput(
            f"the pairs in {folder} are latents of another autoencoder than {vae}", field="judged"
        )
    return manifest
