"""The back-end for any local vision-language model, on a tiny random one in LLaVA's format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.enhancer import EnhancerSpec, StructuredPrompt, open_enhancer
from omnireel.enhancer.transformers_backend import TransformersEnhancer
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.mvl import Input, parse
from omnireel.types import Clip, MediaKind
from tests.support.vision_language import TEMPLATE, save_vision_language_model

PROMPT = parse("make @Image_1 jump", [Input("Image_1", MediaKind.IMAGE)])
MEDIA = {"Image_1": (Clip(np.zeros((1, 56, 84, 3), np.uint8)),)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vlm")
    save_vision_language_model(path)
    return path


def test_a_random_model_reads_the_picture_and_falls_back(folder: Path) -> None:
    enhancer = open_enhancer(EnhancerSpec(kind="transformers", path=str(folder), max_new_tokens=5))
    result = enhancer.enhance(PROMPT, MEDIA)
    assert result.prompt == PROMPT
    assert result.fallback_reason


def test_a_good_answer_is_used_and_only_new_tokens_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enhancer = TransformersEnhancer.load(folder, max_new_tokens=5)
    answer = StructuredPrompt(("@Image_1",), "", "", "@Image_1 jumps in a meadow.")
    seen = {}

    def generate(**inputs: torch.Tensor) -> torch.Tensor:
        seen.update(inputs)
        said = enhancer._processor.tokenizer(answer.to_json(), return_tensors="pt").input_ids
        return torch.cat([inputs["input_ids"], said], dim=1)

    monkeypatch.setattr(enhancer._model, "generate", generate)
    result = enhancer.enhance(PROMPT, MEDIA)
    assert result.prompt.text == answer.description
    assert result.structured == answer
    assert seen["pixel_values"].shape[0] > 0
    text = enhancer._processor.tokenizer.decode(seen["input_ids"][0])
    assert "@Image_1 is a reference image:<image>" in text
    assert text.endswith("Request: make @Image_1 jump<|end|>\n<|assistant|>\n")


def test_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(FailedPrecondition, match="cannot be loaded"):
        TransformersEnhancer.load(tmp_path, max_new_tokens=5)


def test_a_template_that_begins_the_thought_leaves_no_draft_for_an_answer(tmp_path: Path) -> None:
    thinking = TEMPLATE.replace("<|assistant|>\n{% endif %}", "<|assistant|>\n<think>\n{% endif %}")
    save_vision_language_model(tmp_path, thinking)
    result = TransformersEnhancer.load(tmp_path, max_new_tokens=5).enhance(PROMPT, MEDIA)
    assert result.raw_output.startswith("<think>")
    assert "still thinking" in result.fallback_reason


def test_it_runs_where_it_is_told_to(folder: Path) -> None:
    assert TransformersEnhancer.load(folder, max_new_tokens=5, device="cpu").device == "cpu"
    for device in ("cuda:99", "abacus"):
        with pytest.raises(InvalidInput, match=f"no device '{device}'") as caught:
            TransformersEnhancer.load(folder, max_new_tokens=5, device=device)
        assert caught.value.violations[0].field == "enhancer.device"
