"""``omnireel plan`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from omnireel.api.v1 import progress_pb2, video_pb2
from omnireel.capacity.measurements import measurements_text, read_measurements
from omnireel.cli.main import app
from omnireel.cli.plan_measure import summarise
from omnireel.errors import InvalidInput


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["plan", *words])
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str) -> str:
    result = CliRunner().invoke(app, ["plan", *words])
    assert result.exit_code != 0
    return result.output


def test_a_plan_for_people() -> None:
    said = run("serve", "--jobs-per-hour", "600", "--jobs", "2000", "--price", "0.5")
    for words in ("generator", "waiting, 95% below", "simulated", "Storage:", "for devices"):
        assert words in said
    assert "Measured: " in said


def test_a_plan_for_machines_is_values_of_the_chart() -> None:
    words = ["serve", "--jobs-per-hour", "3600", "--jobs", "2000", "--json", "--slots", "2"]
    found = json.loads(run(*words))
    assert found["chart"]["worker"]["slots"] == 2
    assert found["chart"]["generator"]["replicas"] >= 1
    assert found["simulated"]["jobs"] == 1800
    fewer = json.loads(run(*words, "--steps", "1"))
    assert fewer["busy"]["generator"] < found["busy"]["generator"]
    assert json.loads(run(*words)) == found  # the same seed, the same answer


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--jobs-per-hour", "0"], "jobs_per_hour must be more than 0"),
        (["--jobs-per-hour", "9", "--gpu", "h100"], "there are no measurements of 'h100'"),
        (["--jobs-per-hour", "9", "--measurements", "none.toml"], "cannot read none.toml"),
        (["--jobs-per-hour", "9", "--wait", "0.001"], "allow a longer wait"),
    ],
)
def test_mistakes_are_one_line(words: list[str], sentence: str) -> None:
    said = refused("serve", *words)
    assert sentence in said and "Traceback" not in said


def test_measurements_are_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("")
    assert "exists already" in refused("measure", "--device", "a", "--out", str(path))
    assert "does not end in .toml" in refused(
        "measure", "--device", "a", "--out", str(tmp_path / "x")
    )


def video(generate_s: float, codec_s: float, *, steps: int = 10) -> video_pb2.Video:
    made = video_pb2.Video()
    made.settings.num_inference_steps = steps
    made.settings.format.width = made.settings.format.height = 64
    made.settings.format.num_frames = 17
    made.model_versions.generator = "g1"
    made.outputs.base.size_bytes, made.outputs.upscaled.size_bytes = 100, 200
    for stage, seconds, codec in (
        (progress_pb2.STAGE_QUEUED, 0.25, 0.0),
        (progress_pb2.STAGE_GENERATING, generate_s, codec_s),
        (progress_pb2.STAGE_UPSCALING, 1.0, 0.5),
    ):
        timing = made.timings.add(stage=stage)
        timing.elapsed.CopyFrom(_duration(seconds))
        timing.codec_elapsed.CopyFrom(_duration(codec))
    return made


def _duration(seconds: float) -> Duration:
    made = Duration()
    made.FromNanoseconds(round(seconds * 1e9))
    return made


def test_videos_become_measurements(tmp_path: Path) -> None:
    found = summarise([video(2.0, 0.5), video(4.0, 1.5)], device="card", note="four of them")
    generator = found.stages["generator"]
    assert (generator.steps, generator.step_s, generator.other_s) == (10, 0.2, 1.0)
    assert generator.cv == pytest.approx(2**0.5 / 3)
    assert found.stages["super_resolver"].mean_s == 1.0
    assert set(found.stages) == {"generator", "super_resolver"}  # nothing was enhanced
    assert (found.dispatch_s, found.video_bytes) == (0.25, 300.0)
    assert "four of them" in found.source
    path = tmp_path / "card.toml"
    path.write_text(measurements_text(found))
    assert read_measurements(path).stages["generator"].mean_s == pytest.approx(3.0)
    said = run(
        "serve", "--jobs-per-hour", "100", "--measurements", str(path), "--enhanced", "0",
        "--jobs", "500",
    )  # fmt: skip
    assert "on card" in said


def test_videos_of_several_kinds_are_no_measurement() -> None:
    with pytest.raises(InvalidInput, match="one kind at a time"):
        summarise([video(2.0, 0.5), video(2.0, 0.5, steps=4)], device="card", note="")
