"""Fitting the readers, in miniature, and keeping them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.errors import IntegrityError
from omnireel.evaluate.perception.eyes import Perception, load_perception, save_perception
from omnireel.evaluate.perception.fit_movement import (
    MovementSamplesConfig,
    fit_movement_reader,
    movement_samples,
)
from omnireel.evaluate.perception.fit_scene import fit_scene_reader, fit_subject_reader
from omnireel.evaluate.perception.movement import NUM_FEATURES
from omnireel.evaluate.perception.samples import SamplesConfig, draw_samples
from omnireel.evaluate.perception.training import LoopConfig, fit_loop


def test_the_loop_fits_a_line_and_repeats_itself() -> None:
    x = torch.linspace(-1, 1, 64)[:, None]

    def fitted() -> torch.nn.Linear:
        torch.manual_seed(5)
        model = torch.nn.Linear(1, 1)

        def loss(at: np.ndarray) -> torch.Tensor:
            return (model(x[at]) - (3 * x[at] - 1)).square().mean()

        fit_loop("line", model, 64, loss, LoopConfig(40.0, 16, 0.2, 0.0), say=lambda line: None)
        return model

    a, b = fitted(), fitted()
    assert a.weight.item() == pytest.approx(3.0, abs=0.05)
    assert a.bias.item() == pytest.approx(-1.0, abs=0.05)
    assert torch.equal(a.weight, b.weight)


def test_all_readers_are_fitted_saved_and_loaded(tmp_path: Path) -> None:
    samples = draw_samples(SamplesConfig(scenes=8, frames_per_scene=2, empty=0.0))
    shipped = load_perception().scene
    scene = fit_scene_reader(samples, LoopConfig(1.0, 8))
    subject = fit_subject_reader(samples, shipped, LoopConfig(1.0, 8))
    rows, classes = movement_samples(MovementSamplesConfig(clips=2), shipped)
    assert rows.shape == (len(classes), NUM_FEATURES)
    assert len(rows) >= 4  # every clip counts twice, once mirrored
    movement = fit_movement_reader(rows, classes, LoopConfig(2.0, 4))
    folder = save_perception(tmp_path / "eyes", Perception(scene, subject, movement), {})
    loaded = load_perception(folder)
    frames = samples.frames_NHWC[:2]
    a, b = (reader.read(frames).color_TChw for reader in (scene, loaded.scene))
    assert np.abs(a - b).max() < 0.02  # stored in half precision
    (folder / "config.json").write_text("{}")
    load_perception.cache_clear()
    with pytest.raises(IntegrityError, match=r"config\.json"):
        load_perception(folder)
