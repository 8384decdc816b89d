"""Which pairs are shown: balanced sides, repeated trials, and trials with a known answer.

Trials are made from the folders of two or more finished runs of OmniBench. Who is on which side is
drawn so that every system is as often left as right; some trials come back with their sides
swapped (does a judge agree with himself?), and some show the exact answer beside that of another
case (is the judge looking?).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.evaluate.bench.run import read_manifest, read_records
from omnireel.evaluate.bench.suite import partner_of, read_index

Kind = Literal["real", "repeat", "gold"]
EXACT, WRONG = "exact", "wrong"


@dataclass(frozen=True)
class ArenaConfig:
    """``trials``: real ones, over all pairs of systems; 0: every common case of every pair."""

    trials: int = 100
    repeats: float = 0.1
    """Share of the real trials that come back with their sides swapped."""
    gold: float = 0.1
    """Gold trials per real trial."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.trials < 0:
            raise InvalidInput(f"trials must be at least 0, not {self.trials}", field="trials")
        for name in ("repeats", "gold"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name} is a share between 0 and 1", field=name)


@dataclass(frozen=True)
class Trial:
    """``left`` and ``right``: names of systems, or EXACT and WRONG in gold trials."""

    kind: Kind
    case: str
    left: str
    right: str


@dataclass(frozen=True)
class Contest:
    """The runs by name, their records by case, and the trials in the order of the page."""

    folders: Mapping[str, Path]
    records: Mapping[str, Mapping[str, Any]]
    trials: tuple[Trial, ...]

    @property
    def sha256(self) -> str:
        """Which questions these are."""
        models = {n: read_manifest(f)["model"] for n, f in self.folders.items()}
        content = {"models": models, "trials": [asdict(t) for t in self.trials]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def open_contest(folders: Mapping[str, Path], config: ArenaConfig) -> Contest:
    """Trials between runs; equal arguments give equal trials.

    Raises:
        NotFound: a folder holds no run.
        InvalidInput: fewer than two runs, of different benchmarks, or without a common case.

    """
    if len(folders) < 2:
        raise InvalidInput("an arena needs at least two runs", field="runs")
    if len({json.dumps(read_manifest(f)["bench"]) for f in folders.values()}) > 1:
        raise InvalidInput("the runs are of different versions of OmniBench", field="runs")
    records = {name: {r["id"]: r for r in read_records(f)} for name, f in folders.items()}
    common = [c.id for c in read_index() if all(c.id in found for found in records.values())]
    if len(common) < 2:
        raise InvalidInput(
            f"the runs have {len(common)} cases in common; two are needed", field="runs"
        )
    gold = [c.id for c in read_index() if c.id in common and partner_of(c).id in common]
    trials = draw_trials(tuple(folders), common, gold, config)
    return Contest(folders, records, tuple(trials))


def draw_trials(
    names: Sequence[str], cases: Sequence[str], gold: Sequence[str], config: ArenaConfig
) -> list[Trial]:
    """Real trials spread over pairs and ``cases``, among them repeats and gold ones of ``gold``."""
    rng = np.random.default_rng(config.seed)
    every = list(combinations(names, 2))
    chosen: list[Trial] = []
    share = -(-config.trials // len(every)) if config.trials else len(cases)
    for a, b in every:
        picked = [cases[k] for k in rng.permutation(len(cases))[:share]]
        # Half of a pair's trials have either side; which half is chance.
        sides = rng.permutation(len(picked)) % 2 == 0
        chosen += [
            Trial("real", case, *((a, b) if side else (b, a)))
            for case, side in zip(picked, sides, strict=True)
        ]
    repeated = rng.permutation(len(chosen))[: round(config.repeats * len(chosen))]
    extra = [
        Trial("repeat", t.case, t.right, t.left) for t in (chosen[k] for k in sorted(repeated))
    ]
    for k, case in enumerate(rng.permutation(len(gold))[: round(config.gold * len(chosen))]):
        shown = (EXACT, WRONG) if k % 2 else (WRONG, EXACT)
        extra.append(Trial("gold", gold[case], *shown))
    everything = [*chosen, *extra]
    return [everything[k] for k in rng.permutation(len(everything))]


def clip_of(contest: Contest, trial: Trial, side: Literal["left", "right"]) -> tuple[Path, Any]:
    """The folder of clips and the description of what a side shows."""
    name = getattr(trial, side)
    role = "result"
    case = trial.case
    if name in (EXACT, WRONG):
        role = "target"
        if name == WRONG:
            own = next(c for c in read_index() if c.id == case)
            case = partner_of(own).id
        name = next(n for n, found in contest.records.items() if case in found)
    record = contest.records[name][case]
    clip = next(c for c in record["clips"] if c["role"] == role)
    return contest.folders[name] / "clips", clip
