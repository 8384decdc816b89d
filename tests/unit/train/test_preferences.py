from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from omnireel.errors import AlreadyExists, IntegrityError, InvalidInput, NotFound
from omnireel.train.preferences import (
    Candidate,
    PreferenceBatches,
    PreferencePair,
    PreferenceSet,
    Verdict,
    write_pairs,
)
from tests.support.tiny_records import preference_pair


def _write(folder: Path) -> list[PreferencePair]:
    verdicts = [Verdict.FIRST, Verdict.TIE, Verdict.SECOND, Verdict.FIRST, Verdict.TIE]
    pairs = [preference_pair(i, v) for i, v in enumerate(verdicts)]
    write_pairs(folder, 0, pairs[:3])
    write_pairs(folder, 1, pairs[3:])
    return pairs


def test_pairs_come_back_as_they_were_written(tmp_path: Path) -> None:
    pairs = _write(tmp_path)
    read = PreferenceSet(tmp_path)
    assert len(read) == 5
    for i, pair in enumerate(pairs):
        again = read.pair(i)
        assert again.prompt == pair.prompt and again.verdicts == pair.verdicts
        assert (again.capability, again.judge, again.round) == ("C1", "oracles", 2)
        for one, other in ((again.first, pair.first), (again.second, pair.second)):
            assert one.seed == other.seed and one.scores == other.scores
            assert torch.equal(one.latents_CTHW, other.latents_CTHW.half().float())
            assert torch.equal(one.noise_CTHW, other.noise_CTHW.half().float())
        assert len(again.segments) == len(pair.segments)
        for a, b in zip(again.segments, pair.segments, strict=True):
            assert (a.role, a.source_id, a.start, a.step) == (b.role, b.source_id, b.start, b.step)
            assert torch.equal(a.latents_CTHW, b.latents_CTHW.half().float())


def test_nothing_is_pickled(tmp_path: Path) -> None:
    _write(tmp_path)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_batches_see_every_decided_pair_once_an_epoch(tmp_path: Path) -> None:
    _write(tmp_path)
    batches = PreferenceBatches(PreferenceSet(tmp_path), 1, seed=4)
    assert batches.per_epoch == 3
    epochs = [[batches.batch(3 * e + i)[0].first.seed for i in range(3)] for e in range(4)]
    assert all(sorted(epoch) == [300, 302, 303] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    verdicts = [p.verdicts for i in range(6) for p in batches.batch(i)]
    assert all(any(v is not Verdict.TIE for v in given) for given in verdicts)
    with pytest.raises(InvalidInput, match="3 decided pairs of 5"):
        PreferenceBatches(PreferenceSet(tmp_path), 4)


def test_damage_is_found_before_training(tmp_path: Path) -> None:
    _write(tmp_path)
    tensors = tmp_path / "pairs_000001.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-10])
    with pytest.raises(IntegrityError, match="pairs_000001"):
        PreferenceSet(tmp_path)
    tensors.unlink()
    with pytest.raises(NotFound, match=r"pairs_000001\.safetensors is missing"):
        PreferenceSet(tmp_path)
    (tmp_path / "pairs_000001.json").write_text("{")
    with pytest.raises(IntegrityError, match="not an index"):
        PreferenceSet(tmp_path)


def test_missing_shards_are_listed_and_written_ones_are_kept(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no preference pairs"):
        PreferenceSet(tmp_path)
    write_pairs(tmp_path, 3, [preference_pair(0)])
    with pytest.raises(NotFound, match="lacks the shards 0, 1, 2"):
        PreferenceSet(tmp_path)
    before = json.loads((tmp_path / "pairs_000003.json").read_text())
    with pytest.raises(AlreadyExists):
        write_pairs(tmp_path, 3, [preference_pair(1)])
    assert json.loads((tmp_path / "pairs_000003.json").read_text()) == before


def test_unequal_samples_and_too_many_verdicts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="1 to 3 verdicts"):
        preference_pair(0, *[Verdict.FIRST] * 4)
    short, long = torch.zeros(4, 1, 4, 4), torch.zeros(4, 2, 4, 4)
    with pytest.raises(InvalidInput, match="shape of the latents"):
        Candidate(short, long, 0)
    pair = preference_pair(0)
    with pytest.raises(InvalidInput, match="must have one shape"):
        PreferencePair(
            "C1", pair.prompt, (), Candidate(short, short, 0), Candidate(long, long, 1),
            (Verdict.TIE,), "people",
        )  # fmt: skip
