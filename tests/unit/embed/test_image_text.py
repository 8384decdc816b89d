"""Image-text models in transformers form as embedders of clips, on tiny random ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
)

from omnireel.embed import Embedder, open_embedder
from omnireel.errors import FailedPrecondition

SIZES = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip
VISION = {**SIZES, "image_size": 28, "patch_size": 14}
WORDS = ("<pad>", "<end>", "a", "red", "blue", "ball", "cube", "jumps")
TEXT = {
    **SIZES, "vocab_size": len(WORDS), "max_position_embeddings": 16, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 1,
}  # fmt: skip
CLIP = np.random.default_rng(0).integers(0, 255, (5, 40, 56, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=["clip", "siglip"])
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder: Path = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    size = {"height": 28, "width": 28}
    if request.param == "clip":
        CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)
                  ).save_pretrained(folder)  # fmt: skip
        CLIPImageProcessorPil(size=size, crop_size=size).save_pretrained(folder)
    else:
        SiglipModel(SiglipConfig(text_config=TEXT, vision_config=VISION)).save_pretrained(folder)
        SiglipImageProcessorPil(size=size).save_pretrained(folder)
    core = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<end>"))
    core.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="<end>", unk_token="<end>"
    ).save_pretrained(folder)
    return open_embedder(folder)


def test_a_clip_is_the_mean_of_its_frames(embedder: Embedder) -> None:
    frames = embedder.embed_clips([frame[None] for frame in CLIP])
    mean = frames.mean(0) / np.linalg.norm(frames.mean(0))
    assert np.allclose(embedder.embed_clips([CLIP])[0], mean, atol=1e-4)


def test_agreement_is_a_cosine_between_0_and_1(embedder: Embedder) -> None:
    texts = ["a red ball", "a blue cube jumps"]
    cosines = embedder.embed_texts(texts) @ embedder.embed_clips([CLIP])[0]
    assert np.allclose(embedder.agreement(CLIP, texts), (1 + cosines) / 2, atol=1e-5)
    assert embedder.appearance(CLIP[:1], CLIP) == pytest.approx(1.0, abs=1e-4)


def test_an_edit_that_did_not_happen_is_no_nearer_to_the_words(embedder: Embedder) -> None:
    same = embedder.edit(CLIP, CLIP, "a red ball")
    assert same.done == pytest.approx(0.5, abs=1e-6)
    assert same.kept is None


def test_a_model_of_words_alone_is_refused(tmp_path: Path) -> None:
    LlamaForCausalLM(LlamaConfig(vocab_size=8, **SIZES)).save_pretrained(tmp_path)
    with pytest.raises(FailedPrecondition, match=str(tmp_path)):
        open_embedder(tmp_path)
