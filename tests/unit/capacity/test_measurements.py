"""Files of measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.capacity.measurements import (
    Measurements,
    StageTime,
    measured_devices,
    measurements_of,
    measurements_text,
    read_measurements,
)
from omnireel.errors import InvalidInput, NotFound

GOOD = 'device = "a"\nmodel = "b"\nsource = "c"\n[stages.generator]\nother_s = 1\n'


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    wanted = Measurements(
        'a "card"', "b", "c\\d", {"generator": StageTime(0.5, 0.1, 10, 0.02)}, 0.1, video_bytes=7.0
    )
    path = tmp_path / "mine.toml"
    path.write_text(measurements_text(wanted))
    assert read_measurements(path) == wanted


def test_what_comes_with_the_package_says_its_source() -> None:
    assert "cpu" in measured_devices()
    for device in measured_devices():
        found = measurements_of(device)
        assert found.device == device and len(found.source) > 20
        assert found.video_bytes and found.artefact_bytes and found.creates_per_s


def test_a_device_that_nobody_measured_is_refused_by_name() -> None:
    with pytest.raises(
        NotFound, match=r"there are no measurements of 'h100'.*omnireel plan measure"
    ):
        measurements_of("h100")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("device = ", "not valid TOML"),
        (GOOD.replace("device", "devise"), "unknown field 'devise'"),
        (GOOD.replace('source = "c"\n', ""), "source is missing"),
        (GOOD.replace("generator", "painter"), "unknown stage 'painter'"),
        (GOOD.replace("generator", "finish"), "stages.generator is missing"),
        (GOOD.replace("= 1", "= -1"), "other_s must not be negative"),
        (GOOD.replace("= 1", "= 0"), "a stage must take time"),
        (GOOD.replace("= 1", '= "fast"'), "other_s must be a number, not 'fast'"),
        (GOOD + "steps = 1.5\n", "steps must be a whole number"),
        (GOOD + "steps = true\n", "steps must be a whole number"),
        (GOOD.replace("[stages.generator]\nother_s", "stages"), "stages must be a table"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as refused:
        read_measurements(path)
    assert words in str(refused.value) and "mine.toml" in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read"):
        read_measurements(tmp_path / "none.toml")
