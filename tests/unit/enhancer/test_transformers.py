"""The back-end for any local vision-language model, on a tiny random one in LLaVA's format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from omnireel.enhancer import EnhancerSpec, StructuredPrompt, open_enhancer
from omnireel.enhancer.transformers_backend import TransformersEnhancer
from omnireel.errors import FailedPrecondition
from omnireel.mvl import Input, parse
from omnireel.types import Clip, MediaKind

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>\n{% for c in m.content %}"
    "{% if c.type == 'image' %}<image>{% else %}{{ c.text }}{% endif %}{% endfor %}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
PROMPT = parse("make @Image_1 jump", [Input("Image_1", MediaKind.IMAGE)])
MEDIA = {"Image_1": (Clip(np.zeros((1, 56, 84, 3), np.uint8)),)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vlm")
    letters = sorted(ByteLevel.alphabet())
    core = Tokenizer(BPE({letter: i for i, letter in enumerate(letters)}, []))
    core.pre_tokenizer, core.decoder = ByteLevel(add_prefix_space=False), ByteLevelDecoder()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<image>", "<|system|>", "<|user|>", "<|assistant|>"],
    )
    sizes = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }  # fmt: skip
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **sizes,
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=28, patch_size=14, **sizes),
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).save_pretrained(path)
    size = {"height": 28, "width": 28}
    LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=size, crop_size=size, do_center_crop=False),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    ).save_pretrained(path)
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
