"""A sample that has to go is gone from shards, ledger and report, and from nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.data import forget as module
from omnireel.data.checks.base import Bounds, Measurement, Outcome, Tier, Verdict, rate
from omnireel.data.checks.copies import ExactDuplicate
from omnireel.data.curate.lease import LeaseConfig, leased
from omnireel.data.curate.ledger import LEDGER, read_rows, row_of, write_rows
from omnireel.data.curate.state import WORK
from omnireel.data.forget import HISTORY, forget
from omnireel.data.shards import ShardReader, ShardWriterConfig, write_shards
from omnireel.data.shards.manifest import MANIFEST
from omnireel.errors import FailedPrecondition, NotFound
from omnireel.store import LocalStore
from omnireel.store.chunks import sha256_of
from tests.support.shard_samples import Samples, bytes_sample

KEYS = [f"clip{n}.mp4" for n in range(8)] + ["film.mp4#0", "film.mp4#1"]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    samples = [
        bytes_sample(
            key,
            bytes(100),
            source_sha256=f"{n:064d}",
            lineage={"file": key.partition("#")[0]},
        )
        for n, key in enumerate(KEYS)
    ]
    folder = tmp_path / "shards"
    write_shards(folder, Samples(samples), ShardWriterConfig(shard_bytes=300, group_bytes=100))
    verdicts = [
        Verdict(key, check, Tier.BASIC, 1, Outcome.KEPT, Bounds().low, Bounds().high, 1.0)
        for key in [*KEYS, "rejected.mp4"]
        for check in ("blur", "cut")
    ]
    write_rows(folder / LEDGER, (row_of(verdict) for verdict in verdicts))
    (folder / "report.html").write_text("pictures")
    (folder / "sheet.png").write_bytes(b"pictures")
    return folder


def die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def keys(folder: Path) -> list[str]:
    return [sample.key for _, sample in ShardReader(folder).samples()]


def test_all_shots_of_a_file_go_and_nothing_else_moves(shards: Path) -> None:
    before, old = keys(shards), {f.name: f.sha256 for f in ShardReader(shards).manifest.files}
    manifest = sha256_of(shards / MANIFEST)
    done = forget(shards, "film.mp4")

    assert done.samples == ("film.mp4#0", "film.mp4#1")
    assert done.manifests == (manifest,)
    assert keys(shards) == [key for key in before if not key.startswith("film")]
    reader = ShardReader(shards)
    reader.verify()
    now = {f.name: f.sha256 for f in reader.manifest.files}
    assert {n: h for n, h in old.items() if n not in done.rewritten}.items() <= now.items()
    assert {p.name for p in shards.glob("shard-*")} == now.keys()
    assert reader.manifest.media_bytes == 800
    assert not (shards / "report.html").exists()
    assert not (shards / "sheet.png").exists()

    rows = list(read_rows(shards / LEDGER))
    assert [r["verdict"] for r in rows if r["sample"].startswith("film")] == ["forgotten"] * 2
    assert sum(r["sample"] == "clip0.mp4" for r in rows) == 2


def test_a_curation_at_work_is_not_disturbed(shards: Path) -> None:
    work = shards / WORK
    work.mkdir()
    with (
        leased(LocalStore(work), str(shards), LeaseConfig(prefix="lease/")),
        pytest.raises(FailedPrecondition, match="works on"),
    ):
        forget(shards, "clip0.mp4")
    assert "clip0.mp4" in keys(shards)
    assert forget(shards, "clip0.mp4").samples == ("clip0.mp4",)
    assert not work.exists()


def test_by_hash_and_twice(shards: Path) -> None:
    first = forget(shards, f"{3:064d}")
    assert first.samples == ("clip3.mp4",)
    second = forget(shards, "clip4.mp4")
    assert second.manifests[0] == first.manifests[0]
    assert len(second.manifests) == 2
    assert ShardReader(shards).manifest.made_by[HISTORY] == list(second.manifests)


def test_a_rejected_sample_leaves_the_ledger_only(shards: Path) -> None:
    before = keys(shards)
    assert forget(shards, "rejected.mp4").rewritten == ()
    assert keys(shards) == before
    assert sum(r["verdict"] == "forgotten" for r in read_rows(shards / LEDGER)) == 1


@pytest.mark.parametrize("wanted", ["copy.mp4", "film.mp4", f"{8:064d}"])
def test_the_same_bytes_go_under_every_name(
    shards: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    copied = Measurement(1.0, {"of": "film.mp4"})
    copy = rate(ExactDuplicate(), ExactDuplicate.standard, "copy.mp4", copied)
    write_rows(shards / LEDGER, [*read_rows(shards / LEDGER), row_of(copy)])
    with monkeypatch.context() as patched:
        patched.setattr(module, "atomic_write", die)
        with pytest.raises(KeyboardInterrupt):
            forget(shards, wanted)
    shots = ("film.mp4#0", "film.mp4#1")
    assert forget(shards, wanted).samples == ("copy.mp4", *shots)
    assert keys(shards) and not any(key.startswith("film") for key in keys(shards))
    gone = {r["sample"] for r in read_rows(shards / LEDGER) if r["verdict"] == "forgotten"}
    assert gone == {"copy.mp4", *shots}


def test_what_is_not_there_is_said(shards: Path) -> None:
    with pytest.raises(NotFound, match=r"'nobody.mp4'"):
        forget(shards, "nobody.mp4")


@pytest.mark.parametrize("step", ["write_rows", "atomic_write"])
def test_a_kill_between_two_steps_is_mended_by_the_same_command(
    shards: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(module, step, die)
        with pytest.raises(KeyboardInterrupt):
            forget(shards, "clip2.mp4")
    assert "clip1.mp4" in keys(shards), "readable at any moment"
    forget(shards, "clip2.mp4")
    assert "clip2.mp4" not in keys(shards)
    assert {p.name for p in shards.glob("shard-*")} == {
        f.name for f in ShardReader(shards).manifest.files
    }
    assert [r["verdict"] for r in read_rows(shards / LEDGER) if r["sample"] == "clip2.mp4"] == [
        "forgotten"
    ]
