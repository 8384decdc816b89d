"""Which pairs are shown: balanced sides, repeated trials, and trials with a known answer.

Trials are made from the folders of finished runs of OmniBench, one or more of each of two or more
systems: further runs are further draws (other noise), which narrow the intervals. Who is on which
side is drawn so that every system is as often left as right; some trials come back with their sides
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
from omnireel.evaluate.bench.run import clip_path, read_manifest, read_records
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
    """``left`` and ``right``: names of systems, or EXACT and WRONG in gold trials. ``draw``: which
    of each system's runs is shown."""

    kind: Kind
    case: str
    left: str
    right: str
    draw: int = 0


@dataclass(frozen=True)
class Contest:
    """The runs of each system, their records by case, and the trials in the order of the page."""

    folders: Mapping[str, Sequence[Path]]
    records: Mapping[str, Sequence[Mapping[str, Any]]]
    trials: tuple[Trial, ...]

    @property
    def sha256(self) -> str:
        """Which questions these are."""
        models = {n: [read_manifest(f)["model"] for f in fs] for n, fs in self.folders.items()}
        content = {"models": models, "trials": [asdict(t) for t in self.trials]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def open_contest(systems: Mapping[str, Sequence[Path]], config: ArenaConfig) -> Contest:
    """Trials between the runs of systems; equal arguments give equal trials.

    Raises:
        NotFound: a folder holds no run.
        InvalidInput: fewer than two systems, with unequal numbers of runs, of different benchmarks,
            or without a common case; runs of one system with another model or equal noise.

    """
    if len(systems) < 2:
        raise InvalidInput("an arena needs at least two runs", field="runs")
    counts = {name: len(folders) for name, folders in systems.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InvalidInput(f"give every system as many runs as the others: {told}", field="runs")
    every = [folder for folders in systems.values() for folder in folders]
    if len({json.dumps(read_manifest(f)["bench"]) for f in every}) > 1:
        raise InvalidInput("the runs are of different versions of OmniBench", field="runs")
    for folders in systems.values():
        check_draws(folders)
    records = {
        name: [{r["id"]: r for r in read_records(f)} for f in folders]
        for name, folders in systems.items()
    }
    found = [run for runs in records.values() for run in runs]
    common = [c.id for c in read_index() if all(c.id in run for run in found)]
    if len(common) < 2:
        raise InvalidInput(
            f"the runs have {len(common)} cases in common; two are needed", field="runs"
        )
    gold = [c.id for c in read_index() if c.id in common and partner_of(c).id in common]
    draws = max(counts.values())
    trials = draw_trials(tuple(systems), common, gold, config, draws)
    return Contest(systems, records, tuple(trials))


def check_draws(folders: Sequence[Path]) -> None:
    """Refuse runs that do not differ in their noise alone.

    Raises:
        InvalidInput: another model or setting, or equal seeds.

    """
    models = [read_manifest(folder)["model"] for folder in folders]
    seeds = [model["seed"] for model in models]
    for folder, model in zip(folders, models, strict=True):
        if names := [k for k in model if k != "seed" and model[k] != models[0].get(k)]:
            raise InvalidInput(
                f"{folders[0]} and {folder} are of different systems (another {', '.join(names)}); "
                "commas join runs of one system, spaces set systems apart",
                field="runs",
            )
    if len(set(seeds)) < len(seeds):
        raise InvalidInput(
            f"the runs {', '.join(map(str, folders))} have the seeds {', '.join(map(str, seeds))}; "
            "further draws need other noise: 'omnireel eval bench --seed N'",
            field="runs",
        )


def draw_trials(
    names: Sequence[str],
    cases: Sequence[str],
    gold: Sequence[str],
    config: ArenaConfig,
    draws: int = 1,
) -> list[Trial]:
    """Real trials spread over pairs, ``cases`` and draws, among them repeats and gold ones of
    ``gold``."""
    rng = np.random.default_rng(config.seed)
    every = list(combinations(names, 2))
    chosen: list[Trial] = []
    shown = [(case, draw) for draw in range(draws) for case in cases]
    share = -(-config.trials // len(every)) if config.trials else len(shown)
    for a, b in every:
        picked = [shown[k] for k in rng.permutation(len(shown))[:share]]
        # Half of a pair's trials have either side; which half is chance.
        sides = rng.permutation(len(picked)) % 2 == 0
        chosen += [
            Trial("real", case, *((a, b) if side else (b, a)), draw)
            for (case, draw), side in zip(picked, sides, strict=True)
        ]
    repeated = rng.permutation(len(chosen))[: round(config.repeats * len(chosen))]
    extra = [
        Trial("repeat", t.case, t.right, t.left, t.draw)
        for t in (chosen[k] for k in sorted(repeated))
    ]
    for k, case in enumerate(rng.permutation(len(gold))[: round(config.gold * len(chosen))]):
        sides = (EXACT, WRONG) if k % 2 else (WRONG, EXACT)
        extra.append(Trial("gold", gold[case], *sides))
    everything = [*chosen, *extra]
    return [everything[k] for k in rng.permutation(len(everything))]


def clip_of(contest: Contest, trial: Trial, side: Literal["left", "right"]) -> tuple[Path, Any]:
    """The file and the description of what a side shows.

    Raises:
        FailedPrecondition: the file is not there.

    """
    name = getattr(trial, side)
    role = "result"
    case = trial.case
    # Not by the name alone: runs may be called "exact" and "wrong", too.
    if trial.kind == "gold":
        role = "target"
        if name == WRONG:
            own = next(c for c in read_index() if c.id == case)
            case = partner_of(own).id
        name = next(iter(contest.records))
    record = contest.records[name][trial.draw][case]
    clip = next(c for c in record["clips"] if c["role"] == role)
    return clip_path(contest.folders[name][trial.draw], record, clip), clip
