"""A mixed folder becomes shards, a ledger and a report, whatever happens on the way."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from omnireel.data.checks import Policy
from omnireel.data.checks.base import Measurement, rate
from omnireel.data.checks.near_duplicate import NearDuplicate
from omnireel.data.checks.picture import Duration
from omnireel.data.curate.engine import CurateRequest, curate
from omnireel.data.curate.ledger import LEDGER, read_rows
from omnireel.data.curate.report import Report
from omnireel.data.decode import decode_target
from omnireel.data.shards import ShardReader, ShardWriterConfig
from omnireel.errors import AlreadyExists, FailedPrecondition, InvalidInput, NotFound
from omnireel.media import DecodeLimits
from tests.support.footage import texture, write_video
from tests.support.inline import Inline

KEPT = {
    "good0.mp4",
    "good1.mp4",
    "good2.mp4",
    "anim.gif",
    "still.png",
    "sub/shots.mkv#0",
    "sub/shots.mkv#1",
    "sub/shots.mkv#2",
}
LAYOUT = ShardWriterConfig(shard_bytes=40_000)


def bytes_of(folder: Path) -> dict[str, str]:
    """Hashes of all that must not depend on interruptions."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "times.parquet"
    }


def verdicts(out: Path) -> dict[tuple[str, str], str]:
    return {(row["sample"], row["check"]): row["verdict"] for row in read_rows(out / LEDGER)}


def test_good_samples_are_packed_and_every_verdict_is_written_down(
    footage: Path, tmp_path: Path, policy: Policy
) -> None:
    before = {path: path.read_bytes() for path in footage.rglob("*") if path.is_file()}
    out = tmp_path / "out"
    done = curate(CurateRequest(str(footage), out, policy, LAYOUT), Inline())

    samples = {sample.key: sample for _, sample in ShardReader(out).samples()}
    assert samples.keys() == KEPT
    assert samples["good1.mp4"].text == "disc 1 moves"
    assert samples["good1.mp4"].target.data == before[footage / "good1.mp4"]
    assert samples["good1.mp4"].lineage["checks"]["resolution"] == 96
    assert (done.samples, done.uncaptioned, done.ignored) == (13, 5, ("notes.md",))

    found = verdicts(out)
    assert len(found) == 13 * 3, "one row for each sample and check"
    assert found["copy.mp4", "exact_duplicate"] == "rejected"
    assert found["copy.mp4", "readable"] == "skipped"
    assert found["tiny.png", "resolution"] == "rejected"
    for broken in ("text.mp4", "empty.mov", "cut.mp4"):
        assert found[broken, "readable"] == "rejected"
    assert before == {path: path.read_bytes() for path in footage.rglob("*") if path.is_file()}
    page = (out / "report.html").read_text()
    assert "8 of 13 samples kept" in page
    assert "tiny.png" in page


def test_the_report_speaks_plain_words_and_fits_a_narrow_window() -> None:
    policy = Policy("p", {Duration.name: Duration.standard})
    report = Report(policy, lambda file, shot: b"")
    report.add("a.mp4", 0, [rate(Duration(), Duration.standard, "a.mp4", Measurement(0.5))])
    page = report.page(0, 1)
    assert "see shots" in page and "``" not in page
    assert "<div class=wide><table>" in page and ".wide{overflow-x:auto}" in page


def test_of_near_duplicates_one_with_words_is_kept(tmp_path: Path) -> None:
    frames = texture(5)
    write_video(tmp_path / "in/better.mp4", frames, options={"crf": "10"})
    write_video(tmp_path / "in/told.mp4", frames, options={"crf": "30"})
    (tmp_path / "in/told.txt").write_text("a disc moves")
    policy = Policy("copies", {NearDuplicate.name: NearDuplicate.standard})
    curate(CurateRequest(str(tmp_path / "in"), tmp_path / "out", policy), Inline())
    assert verdicts(tmp_path / "out") == {
        ("better.mp4", "near_duplicate"): "rejected",
        ("told.mp4", "near_duplicate"): "kept",
    }


def test_shots_become_clips_of_their_own(footage: Path, tmp_path: Path, policy: Policy) -> None:
    curate(CurateRequest(str(footage), tmp_path / "out", policy), Inline())
    samples = {sample.key: sample for _, sample in ShardReader(tmp_path / "out").samples()}
    counts = []
    for n in range(3):
        sample = samples[f"sub/shots.mkv#{n}"]
        clip = decode_target(sample, DecodeLimits())
        counts.append(len(clip.frames_THWC))
        assert clip.fps == pytest.approx(12, abs=0.1)
        motion = clip.frames_THWC.astype(int)
        assert abs(motion[1:] - motion[:-1]).mean(axis=(1, 2, 3)).max() < 12, "no cut is inside"
    assert all(26 <= count <= 30 for count in counts), counts


@pytest.mark.parametrize("stop_after", [1, 9, 12])
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    footage: Path, tmp_path: Path, policy: Policy, stop_after: int
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    once = Inline()
    curate(CurateRequest(str(footage), whole, policy, LAYOUT), once)

    first = Inline(stop_after)
    request = CurateRequest(str(footage), parts, policy, LAYOUT)
    if stop_after < len(once.ran):
        with pytest.raises(KeyboardInterrupt):
            curate(request, first)
    second = Inline()
    curate(request, second)
    assert bytes_of(parts) == bytes_of(whole)
    assert sorted([*first.ran, *second.ran]) == sorted(once.ran), "nothing is done twice"

    third = Inline()
    curate(request, third)
    assert third.ran == []
    assert bytes_of(parts) == bytes_of(whole)


def test_work_of_another_policy_is_refused(footage: Path, tmp_path: Path, policy: Policy) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        curate(CurateRequest(str(footage), out, policy), Inline(2))
    other = Policy("other", {}, policy.models, policy.shots)
    with pytest.raises(AlreadyExists, match="policy 'small', not 'other'"):
        curate(CurateRequest(str(footage), out, other), Inline())


def test_a_folder_with_other_files_is_refused(
    footage: Path, tmp_path: Path, policy: Policy
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(AlreadyExists, match="holds other files"):
        curate(CurateRequest(str(footage), out, policy), Inline())


def test_new_files_do_not_change_finished_shards(
    footage: Path, tmp_path: Path, policy: Policy
) -> None:
    request = CurateRequest(str(footage), tmp_path / "out", policy)
    curate(request, Inline())
    before = bytes_of(tmp_path / "out")
    (footage / "good3.mp4").write_bytes((footage / "good0.mp4").read_bytes() + b"\0")
    with pytest.raises(AlreadyExists, match="finished shards of other files"):
        curate(request, Inline())
    assert bytes_of(tmp_path / "out") == before


def test_new_captions_ask_for_the_manifest_and_then_are_written(
    footage: Path, tmp_path: Path, policy: Policy
) -> None:
    request = CurateRequest(str(footage), tmp_path / "out", policy)
    curate(request, Inline())
    (footage / "good1.txt").write_text("other words")
    with pytest.raises(AlreadyExists, match=re.escape(f"delete {tmp_path}/out/manifest.json")):
        curate(request, Inline())
    Path(request.manifest).unlink()
    curate(request, Inline())
    samples = {sample.key: sample for _, sample in ShardReader(request.out).samples()}
    assert samples["good1.mp4"].text == "other words"


def test_a_changed_file_is_measured_anew(footage: Path, tmp_path: Path, policy: Policy) -> None:
    request = CurateRequest(str(footage), tmp_path / "out", policy)
    with pytest.raises(KeyboardInterrupt):
        curate(request, Inline(10))  # all files are measured, nothing is cut
    (footage / "tiny.png").write_bytes((footage / "still.png").read_bytes() + b"\0")
    again = Inline()
    curate(request, again)
    assert ("measure", "tiny.png") in again.ran
    assert ("measure", "good0.mp4") not in again.ran


def test_nothing_kept_says_so_and_leaves_the_reasons(
    footage: Path, tmp_path: Path, policy: Policy
) -> None:
    for path in footage.rglob("*"):
        if path.is_file() and path.name != "tiny.png":
            path.unlink()
    with pytest.raises(FailedPrecondition, match="none of 1 samples passed"):
        curate(CurateRequest(str(footage), tmp_path / "out", policy), Inline())
    assert verdicts(tmp_path / "out")["tiny.png", "resolution"] == "rejected"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_one_verdict(footage: Path, tmp_path: Path, policy: Policy) -> None:
    (footage / "good0.mp4").chmod(0)
    curate(CurateRequest(str(footage), tmp_path / "out", policy), Inline())
    assert verdicts(tmp_path / "out")["good0.mp4", "readable"] == "rejected"


def test_inputs_that_make_no_sense(footage: Path, tmp_path: Path, policy: Policy) -> None:
    with pytest.raises(NotFound, match="no folder"):
        curate(CurateRequest(str(tmp_path / "nowhere"), tmp_path / "out", policy), Inline())
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InvalidInput, match="holds no clips or images"):
        curate(CurateRequest(str(empty), tmp_path / "out", policy), Inline())
    with pytest.raises(InvalidInput, match="inside of each other"):
        curate(CurateRequest(str(footage), footage / "out", policy), Inline())
    (footage / "captions.csv").write_text("file,caption\nlost.mp4,a disc\n")
    with pytest.raises(InvalidInput, match=r"captions.csv:2: there is no file lost.mp4"):
        curate(CurateRequest(str(footage), tmp_path / "out", policy), Inline())
    assert not (tmp_path / "out").exists()
