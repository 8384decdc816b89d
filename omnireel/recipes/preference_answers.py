"""Answers of people to questions, and the judged pairs that training reads (``judged`` of the
preference recipe)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from omnireel.errors import AlreadyExists, InvalidInput
from omnireel.evaluate.pages.answers import read_page_answers
from omnireel.generate.components import latent_space_sha256
from omnireel.recipes.preference_questions import manifest_of, questions_hash, questions_manifest
from omnireel.registry import write_text_atomic
from omnireel.train.preferences import PreferenceSet, Verdict, write_pairs

_PAIRS_PER_SHARD = 16


@dataclass(frozen=True)
class Answers:
    """One judge's verdicts by pair number; questions that were passed over are not in it."""

    judge: str
    verdicts: Mapping[int, Verdict]


def read_answers(path: Path, expected: str, count: int) -> Answers:
    """The file that the page saves.

    Args:
        path: JSON.
        expected: hash of the questions that it must be about.
        count: how many there are.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it is another file, about other questions, or has an unknown verdict.

    """
    found = read_page_answers(path, expected, count)
    return Answers(found.judge, {n: Verdict(choice) for n, choice in found.choices.items()})


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

    The same answers again change nothing. Of several judges each has one vote; where the votes for
    both sides are equal, it is a tie.

    Raises:
        InvalidInput: no answers, a file that does not fit, or a judge with two files.
        AlreadyExists: ``out`` holds pairs already.

    """
    manifest = questions_manifest(folder)
    found = PreferenceSet(folder)
    expected = questions_hash(folder)
    given = [read_answers(path, expected, len(found)) for path in paths]
    judges = [answers.judge for answers in given]
    if twice := sorted({judge for judge in judges if judges.count(judge) > 1}):
        raise InvalidInput(f"{twice[0]} answers twice; give one file for each judge", field="judge")
    joined = joined_verdicts(given)
    if not joined:
        raise InvalidInput("nobody has answered any question yet", field="answers")
    numbers = sorted(joined)
    verdicts = {str(number): joined[number].value for number in numbers}
    manifest = {
        **manifest, "kind": "judged", "judges": judges, "questions": expected,
        "verdicts": verdicts,
    }  # fmt: skip
    if not _same_import(out, manifest):
        _write_judged(out, manifest, found, joined)
    return Imported(
        pairs=len(numbers),
        ties=sum(verdict is Verdict.TIE for verdict in joined.values()),
        unanswered=len(found) - len(numbers),
        judges=tuple(judges),
        agreement=agreement(given),
    )


def _same_import(out: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether the very same answers were imported to ``out`` before.

    Raises:
        AlreadyExists: it holds other pairs, or only a part of these.

    """
    if not any(out.glob("pairs_*.json")):
        return False
    shards = -(-len(manifest["verdicts"]) // _PAIRS_PER_SHARD)
    if manifest_of(out) == manifest and len(list(out.glob("pairs_*.json"))) == shards:
        return True
    raise AlreadyExists(f"{out} holds pairs already; choose another folder")


def _write_judged(
    out: Path, manifest: Mapping[str, Any], found: PreferenceSet, joined: Mapping[int, Verdict]
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_text_atomic(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    numbers, judge = sorted(joined), ", ".join(manifest["judges"])
    for shard, start in enumerate(range(0, len(numbers), _PAIRS_PER_SHARD)):
        pairs = [
            replace(found.pair(n), verdicts=(joined[n],), judge=judge)
            for n in numbers[start : start + _PAIRS_PER_SHARD]
        ]
        write_pairs(out, shard, pairs)


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
    manifest = manifest_of(folder)
    if manifest.get("kind") != "judged":
        raise InvalidInput(
            f"{folder} holds no judged pairs; make them with 'omnireel train preferences import'",
            field="judged",
        )
    if manifest["latent_space"] != latent_space_sha256(vae):
        raise InvalidInput(
            f"the pairs in {folder} are latents of another autoencoder than {vae}", field="judged"
        )
    return manifest
