"""Preference pairs on disk: two samples of one prompt, what each was made from, and who won.

A set is a folder of numbered shards: ``pairs_000000.safetensors`` (latents and noise as float16)
and ``pairs_000000.json`` (prompts, seeds, verdicts, scores, and the hash of the tensors). The JSON
file is written last and says that its shard is complete. A folder is written once; another round,
or other judges, make another folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from omnireel.errors import AlreadyExists, IntegrityError, InvalidInput, NotFound
from omnireel.files import atomic_path
from omnireel.model.sequence import Segment
from omnireel.mvl.prompt import Prompt
from omnireel.registry import sha256_file, write_text_atomic
from omnireel.train.latent_record import prompt_from_json, prompt_json
from omnireel.types import Role


class Verdict(Enum):
    """Which sample of a pair is better."""

    FIRST = "first"
    SECOND = "second"
    TIE = "tie"

    @property
    def sign(self) -> int:
        """+1 for the first sample, -1 for the second, 0 for a tie."""
        return {Verdict.FIRST: 1, Verdict.SECOND: -1, Verdict.TIE: 0}[self]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One generated sample: its latents, the noise and the seed that it was generated from (the
    stored noise is rounded to float16; the seed gives it exactly), and what judges said of it."""

    latents_CTHW: Tensor
    noise_CTHW: Tensor
    seed: int
    scores: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.latents_CTHW.shape != self.noise_CTHW.shape:
            raise InvalidInput(
                f"noise {tuple(self.noise_CTHW.shape)} must have the shape of the latents "
                f"{tuple(self.latents_CTHW.shape)}",
                field="noise",
            )


@dataclass(frozen=True, eq=False)
class PreferencePair:
    """Two candidates for one prompt and its conditions, and the verdict.

    ``verdicts`` holds one verdict for the whole clip, or one for each of several (nearly) equal
    runs of its latent frames; oracles and people give the former. ``round`` counts rounds of
    sampling and training, from 1.
    """

    capability: str
    prompt: Prompt
    segments: tuple[Segment, ...]
    first: Candidate
    second: Candidate
    verdicts: tuple[Verdict, ...]
    judge: str
    round: int = 1

    def __post_init__(self) -> None:
        shapes = [tuple(c.latents_CTHW.shape) for c in (self.first, self.second)]
        if shapes[0] != shapes[1]:
            raise InvalidInput(
                f"both samples of a pair must have one shape, got {shapes[0]} and {shapes[1]}",
                field="pair",
            )
        if not 1 <= len(self.verdicts) <= shapes[0][1]:
            raise InvalidInput(
                f"a pair of {shapes[0][1]} latent frames takes 1 to {shapes[0][1]} verdicts, got "
                f"{len(self.verdicts)}",
                field="verdicts",
            )


def write_pairs(folder: Path, shard: int, pairs: Sequence[PreferencePair]) -> None:
    """Write shard number ``shard`` (0, 1, ..) into ``folder``, which is made when absent.

    Raises:
        AlreadyExists: the shard is there already.
        InvalidInput: no pairs.
        ResourceExhausted: the disk is full (nothing half-written counts).

    """
    if not pairs:
        raise InvalidInput("a shard needs at least one pair", field="pairs")
    tensors_path, index_path = _paths(folder, shard)
    if index_path.exists():
        raise AlreadyExists(f"{index_path} exists; write the pairs into another folder")
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for i, pair in enumerate(pairs):
        for name, latents in _tensors(pair):
            tensors[f"{i}.{name}"] = (
                latents.detach().cpu().to(torch.float16, copy=True).contiguous()
            )
    with atomic_path(tensors_path) as partial:
        save_file(tensors, partial)
    rows = [_row(pair) for pair in pairs]
    index = {"sha256": sha256_file(tensors_path), "pairs": rows}
    write_text_atomic(index_path, json.dumps(index))


class PreferenceSet:
    """Random access to all pairs of a folder."""

    def __init__(self, folder: Path) -> None:
        """Opens every shard and checks its hash.

        Raises:
            NotFound: the folder holds no pairs, or lacks shards (they are listed).
            IntegrityError: a shard's tensors or index are damaged.

        """
        self.folder = folder
        numbers = sorted(int(p.stem.removeprefix("pairs_")) for p in folder.glob("pairs_*.json"))
        if not numbers:
            raise NotFound(f"{folder} holds no preference pairs")
        missing = sorted(set(range(numbers[-1] + 1)) - set(numbers))
        if missing:
            raise NotFound(f"{folder} lacks the shards {', '.join(map(str, missing))}")
        self._rows: list[tuple[Path, int, Mapping[str, Any]]] = []
        for number in numbers:
            path, rows = _open_shard(folder, number)
            self._rows += [(path, i, row) for i, row in enumerate(rows)]

    def __len__(self) -> int:
        return len(self._rows)

    def pair(self, index: int) -> PreferencePair:
        """Pair number ``index``; tensors are float32 copies."""
        path, i, row = self._rows[index]
        with safe_open(path, framework="pt") as file:

            def tensor(name: str) -> Tensor:
                halves: Tensor = file.get_tensor(f"{i}.{name}")
                return halves.float()

            candidates = [
                Candidate(tensor(f"{n}.latents"), tensor(f"{n}.noise"), c["seed"], c["scores"])
                for n, c in (("first", row["first"]), ("second", row["second"]))
            ]
            segments = tuple(
                Segment(
                    latents_CTHW=tensor(f"segment.{s}"),
                    role=Role(data["role"]),
                    source_id=data["source_id"],
                    start=data["start"],
                    step=data["step"],
                )
                for s, data in enumerate(row["segments"])
            )
        return PreferencePair(
            capability=row["capability"],
            prompt=prompt_from_json(row["prompt"]),
            segments=segments,
            first=candidates[0],
            second=candidates[1],
            verdicts=tuple(Verdict(v) for v in row["verdicts"]),
            judge=row["judge"],
            round=row["round"],
        )

    def decided(self) -> list[int]:
        """Indices of the pairs that have a winner, at least in a part."""
        tie = Verdict.TIE.value
        return [i for i, (_, _, r) in enumerate(self._rows) if any(v != tie for v in r["verdicts"])]


class PreferenceBatches:
    """``batch(step) -> list[PreferencePair]``: every decided pair once per epoch."""

    def __init__(self, pairs: PreferenceSet, batch_size: int, seed: int = 1) -> None:
        """Ties are left out: they have no gradient.

        Raises:
            InvalidInput: fewer decided pairs than one batch.

        """
        self._pairs, self._batch_size, self._seed = pairs, batch_size, seed
        self._chosen = pairs.decided()
        self.per_epoch = len(self._chosen) // batch_size
        if self.per_epoch < 1:
            raise InvalidInput(
                f"{pairs.folder} has {len(self._chosen)} decided pairs of {len(pairs)}, fewer than "
                f"a batch of {batch_size}; sample more pairs or lower batch_size",
                field="batch_size",
            )
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def batch(self, index: int) -> list[PreferencePair]:
        """Batch number ``index``."""
        epoch, i = divmod(index, self.per_epoch)
        start = i * self._batch_size
        return [self._pairs.pair(n) for n in self._order(epoch)[start : start + self._batch_size]]

    def _shuffled(self, epoch: int) -> list[int]:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._chosen))
        return [self._chosen[i] for i in order]


def _paths(folder: Path, shard: int) -> tuple[Path, Path]:
    stem = folder / f"pairs_{shard:06d}"
    return stem.with_suffix(".safetensors"), stem.with_suffix(".json")


def _open_shard(folder: Path, shard: int) -> tuple[Path, list[Mapping[str, Any]]]:
    tensors_path, index_path = _paths(folder, shard)
    try:
        index = json.loads(index_path.read_text(encoding="utf-8"))
        rows, expected = list(index["pairs"]), index["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{index_path} is not an index of preference pairs: {error}"
        ) from error
    if not tensors_path.is_file():
        raise NotFound(f"{tensors_path} is missing beside its index")
    if sha256_file(tensors_path) != expected:
        raise IntegrityError(f"{tensors_path} differs from the hash in its index")
    return tensors_path, rows


def _tensors(pair: PreferencePair) -> Iterator[tuple[str, Tensor]]:
    for name, candidate in (("first", pair.first), ("second", pair.second)):
        yield f"{name}.latents", candidate.latents_CTHW
        yield f"{name}.noise", candidate.noise_CTHW
    for i, segment in enumerate(pair.segments):
        yield f"segment.{i}", segment.latents_CTHW


def _row(pair: PreferencePair) -> dict[str, Any]:
    return {
        "capability": pair.capability,
        "prompt": prompt_json(pair.prompt),
        "first": {"seed": pair.first.seed, "scores": dict(pair.first.scores)},
        "second": {"seed": pair.second.seed, "scores": dict(pair.second.scores)},
        "segments": [
            {"role": s.role.value, "source_id": s.source_id, "start": s.start, "step": s.step}
            for s in pair.segments
        ],
        "verdicts": [v.value for v in pair.verdicts],
        "judge": pair.judge,
        "round": pair.round,
    }
