"""The super-resolver's gain is measured against enlargement, on the same scenes at both sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.evaluate.cases import CaseConfig
from omnireel.evaluate.upscaling import BASES, evaluate_upscaler, gain, means, upscaling_sheet
from omnireel.generate import UpscalePipeline
from omnireel.types import VideoFormat
from tests.support.engines.random_weights import save_random_weights

CONFIG = CaseConfig(("C20",), count=2, held_out_share=0.0, format=VideoFormat(32, 32, 5, 8.0))


@pytest.fixture
def upscaler(tmp_path: Path) -> UpscalePipeline:
    pipeline = UpscalePipeline.load(save_random_weights(tmp_path))
    for zero in (pipeline.model.out.weight, pipeline.model.out.bias):
        torch.nn.init.zeros_(zero)
    return pipeline


def test_a_model_that_changes_nothing_gains_nothing(upscaler: UpscalePipeline) -> None:
    seen: list[tuple[int, int]] = []
    results = evaluate_upscaler(upscaler, CONFIG, on_progress=lambda *at: seen.append(at))
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    assert [r.base for r in results] == [*BASES, *BASES]
    for base in BASES:
        assert gain(results, base).estimate == pytest.approx(0.0, abs=0.05)
    worn = means(results, "worn")
    # Wear is seen, and can be undone: the exact answer is closer than what is enlarged.
    assert worn["enlarged"] < means(results, "exact")["enlarged"]
    assert worn["enlarged"] < worn["ceiling"]
    assert worn["autoencoder"] == means(results, "exact")["autoencoder"]
    assert upscaling_sheet(results).shape[-1] == 3


def test_a_model_that_spoils_the_clip_loses(upscaler: UpscalePipeline) -> None:
    with torch.no_grad():
        upscaler.model.out.bias.normal_(std=2.0, generator=torch.Generator().manual_seed(0))
    results = evaluate_upscaler(upscaler, CONFIG)
    assert gain(results, "exact").high < -0.5
    assert not np.array_equal(results[0].result, results[0].enlarged)
