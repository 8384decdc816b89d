"""A policy from a folder of weights: tiny ones, whose last layer always says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

from omnireel.errors import FailedPrecondition, InvalidInput
from services.common.safety import Subject, SubjectKind, open_policy

FRAME = np.full((32, 32, 3), 90, np.uint8)


def weights(folder: Path, favoured: int) -> Path:
    """A tiny ViT of the labels ``fine`` and ``bad`` that favours one of them."""
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        image_size=16, patch_size=8, id2label={0: "fine", 1: "bad"}, label2id={"fine": 0, "bad": 1},
    )  # fmt: skip
    model = ViTForImageClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 0.0]))
        model.classifier.bias[favoured] = 5.0
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def test_pictures_are_judged_by_label_and_score(tmp_path: Path) -> None:
    bad, fine = weights(tmp_path / "bad", 1), weights(tmp_path / "fine", 0)
    output = Subject(SubjectKind.OUTPUT, "me", "words", (FRAME,))
    for folder, options, passes in (
        (fine, "?refuse=bad", True),
        (bad, "?refuse=bad", False),
        (bad, "?refuse=bad&above=0.999", True),
    ):
        policy = open_policy(f"transformers:{folder}{options}", 60.0)
        assert policy is not None
        if passes:
            policy.require(output)
        else:
            with pytest.raises(FailedPrecondition, match=r"bad \(0\.99\)"):
                policy.require(output)
            policy.require(Subject(SubjectKind.REQUEST, "me", "words alone", ()))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("", "say which labels"),
        ("?refuse=worse", "bad, fine"),
        ("?refuse=bad&above=2", "options are"),
        ("?refuse=bad&over=1", "options are"),
    ],
)
def test_wrong_options(tmp_path: Path, options: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        open_policy(f"transformers:{weights(tmp_path, 0)}{options}", 1.0)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no model"):
        open_policy(f"transformers:{tmp_path}?refuse=bad", 1.0)
