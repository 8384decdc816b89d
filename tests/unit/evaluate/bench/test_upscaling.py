"""Super-resolution in the benchmark: what is compared, and what comes out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition
from omnireel.evaluate.bench.suite import chosen, sample_of
from omnireel.evaluate.bench.upscaling import (
    run_upscaling,
    summarise,
    upscaled_folder,
    without_references,
)
from omnireel.shipped import SHIPPED_TINY
from omnireel.types import VideoFormat

SMALL = VideoFormat(16, 16, 17, 8.0)


def test_the_ablation_lacks_pictures_of_subjects_and_nothing_else() -> None:
    referenced = sample_of(chosen(("C12",), quick=True)[0], SMALL)
    bare = without_references(referenced)
    assert bare is not None
    (source,) = [i for i in referenced.prompt.inputs if i.role.value == "source"]
    assert set(bare.media) == {source.name} < set(referenced.media)
    assert bare.prompt.inputs == (source,)
    assert f"@{source.name}" in bare.prompt.text or "@" not in bare.prompt.text
    assert without_references(sample_of(chosen(("C20",), quick=True)[0], SMALL)) is None


def test_the_closed_share_lies_between_enlargement_and_the_autoencoder() -> None:
    first = {
        "enlarged": 24.0, "pixels": 25.5, "result": 26.0, "autoencoder": 28.0, "ceiling": 30.0,
        "without_references": 25.5,
    }  # fmt: skip
    second = {
        "enlarged": 22.0, "pixels": 23.5, "result": 24.0, "autoencoder": 26.0, "ceiling": 28.0,
    }  # fmt: skip
    found = summarise([{"psnr_dB": first}, {"psnr_dB": second}])
    assert found["closed"] == 0.5
    assert found["gain"] == [2.0, 2.0, 2.0]
    assert found["latent_gain"] == [0.5, 0.5, 0.5]
    assert found["reference_gain"] == [0.5, None, None]
    assert found["cases"] == 2
    assert found["input_gain"] is None and found["keeping"] is None


def test_one_case_has_a_gain_and_no_interval() -> None:
    scores = {"enlarged": 24.0, "pixels": 25.5, "result": 26.0, "autoencoder": 28.0,
              "ceiling": 30.0}  # fmt: skip
    found = summarise([{"psnr_dB": scores}])
    assert found["gain"] == [2.0, None, None] and found["reference_gain"] is None


def test_a_damaged_record_is_told_before_cases_are_made(tmp_path: Path) -> None:
    upscaler, cases = SHIPPED_TINY / "upscaler", chosen(("C20",), quick=True)
    folder = upscaled_folder(tmp_path, upscaler)
    folder.mkdir()
    (folder / f"{cases[1].id}.json").write_text('{"id"')
    with pytest.raises(FailedPrecondition, match=rf"{cases[1].id}.json is damaged"):
        run_upscaling(upscaler, SHIPPED_TINY / "vae", cases, tmp_path, workers=0)
    assert not (folder / f"{cases[0].id}.json").exists()


def test_what_large_inputs_add_is_told_apart_from_what_latents_do() -> None:
    edit = {
        "enlarged": 24.0, "pixels": 25.0, "result": 29.0, "autoencoder": 28.0, "ceiling": 30.0,
        "small_inputs": 25.5,
    }  # fmt: skip
    other = {
        "enlarged": 22.0, "pixels": 23.0, "result": 23.5, "autoencoder": 26.0, "ceiling": 28.0,
    }  # fmt: skip
    found = summarise([{"psnr_dB": edit}, {"psnr_dB": other}])
    assert found["input_gain"] == [3.5, None, None]
    assert found["latent_gain"] == [0.5, 0.5, 0.5]
    assert found["keeping"]["closed"] == 1.25 and found["others"]["closed"] == 0.375
