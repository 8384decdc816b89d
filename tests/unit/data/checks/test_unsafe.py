"""Unsafe content, by a real classifier whose weights are set by hand: red is unsafe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

from omnireel.data.candidate import Candidate, Companion, FileFacts, SampledFrames
from omnireel.data.checks.base import Models, Outcome, judge
from omnireel.data.checks.policy import read_policy
from omnireel.data.checks.unsafe import Unsafe
from omnireel.data.pictures import Drawn
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.types import MediaKind, Role


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision transformer of one patch: red against blue."""
    folder = tmp_path_factory.mktemp("classifier")
    config = ViTConfig(
        hidden_size=4, intermediate_size=4, num_hidden_layers=1, num_attention_heads=1,
        image_size=16, patch_size=16, id2label={0: "normal", 1: "nsfw"},
        label2id={"normal": 0, "nsfw": 1},
    )  # fmt: skip
    model = ViTForImageClassification(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("v_proj.weight", "o_proj.weight")):
                weight.copy_(torch.eye(4))
            elif "layernorm" in name and name.endswith("weight"):
                weight.fill_(1.0)
            else:
                weight.zero_()
        patch = model.vit.embeddings.patch_embeddings.projection.weight
        patch[0, 0], patch[2, 2] = 1 / 256, 1 / 256  # the means of red and of blue
        model.classifier.weight[1, 0] = model.classifier.weight[0, 2] = 5.0
    model.save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
    return folder


def candidate(*colours: tuple[int, int, int]) -> Candidate:
    frames = np.stack([np.full((32, 48, 3), colour, np.uint8) for colour in colours])
    sampled = SampledFrames(Drawn(frames), np.arange(len(frames)) / 8)
    return Candidate("a", Path("a"), "", FileFacts(MediaKind.VIDEO, 0), frames=sampled)


RED, BLUE = (250, 10, 20), (20, 10, 250)


def test_one_unsafe_frame_is_enough(classifier: Path) -> None:
    check = Unsafe.load(Models(unsafe=classifier))
    safe = judge(check, Unsafe.standard, candidate(BLUE, BLUE, BLUE))
    assert safe.outcome is Outcome.KEPT
    found = judge(check, Unsafe.standard, candidate(BLUE, RED, BLUE))
    assert found.outcome is Outcome.REJECTED
    assert found.score == pytest.approx(1.0, abs=1e-3)
    assert found.detail == {"label": "nsfw"}


def test_a_classifier_that_raises_rejects(classifier: Path) -> None:
    def broken(**given: object) -> None:
        raise RuntimeError("no verdict")

    check = Unsafe(None, broken, [0])
    assert judge(check, Unsafe.standard, candidate(BLUE)).outcome is Outcome.FAILED


def test_a_policy_that_names_one_asks_it(classifier: Path) -> None:
    named = read_policy({"unsafe": str(classifier), "base": "standard"}, name="named")
    assert named.bounds["unsafe"] == Unsafe.standard
    assert "unsafe" not in read_policy({"unsafe": "off"}, name="off").bounds
    with pytest.raises(InvalidInput, match="needs one"):
        read_policy({"unsafe": "off", "checks": {"unsafe": True}}, name="none")


def test_labels_must_tell_what_is_safe(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"config\.json is missing"):
        Unsafe.load(Models(unsafe=tmp_path))
    for path in classifier.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((classifier / "config.json").read_text())
    config |= {"id2label": {"0": "cat", "1": "dog"}, "label2id": {"cat": 0, "dog": 1}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(FailedPrecondition, match="are cat, dog; some of them"):
        Unsafe.load(Models(unsafe=tmp_path))


def test_a_companion_is_screened_as_the_clip_is(classifier: Path) -> None:
    check = Unsafe.load(Models(unsafe=classifier))

    def companion(name: str, colour: tuple[int, int, int]) -> Companion:
        shown = Drawn(np.full((1, 32, 48, 3), colour, np.uint8))
        return Companion(name, Role.REFERENCE, Path(name), MediaKind.IMAGE, shown=shown)

    clip = candidate(BLUE, BLUE)
    harmless = replace(clip, companions=(companion("Mug", BLUE),))
    assert judge(check, Unsafe.standard, harmless).outcome is Outcome.KEPT
    harmful = replace(clip, companions=(companion("Mug", BLUE), companion("Hat", RED)))
    found = judge(check, Unsafe.standard, harmful)
    assert found.outcome is Outcome.REJECTED
    assert found.detail == {"label": "nsfw", "of": "@Hat"}
    assert found.reason.startswith("unsafe of @Hat ")
    unknown = replace(clip, companions=(replace(companion("Mug", BLUE), shown=None),))
    assert judge(check, Unsafe.standard, unknown).outcome is Outcome.FAILED
