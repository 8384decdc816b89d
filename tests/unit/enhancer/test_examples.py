"""Examples of the enhancer on disk: drawn in shards, gone on with, read back as they were drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.modeling import tiny_config
from omnireel.enhancer.tiny.vocabulary import build_tokenizer
from omnireel.recipes import enhancer_examples, enhancer_words
from omnireel.recipes.enhancer_data import draw_lesson
from omnireel.recipes.enhancer_examples import SftData, SftDataConfig, build_examples

LEXICON = enhancer_words.lexicon()
MODEL = tiny_config(enhancer_words.vocabulary(), LEXICON.to_data(), width=32, layers=1)
CONFIG = SftDataConfig(count=16, mix={"C1": 1.0, "C20": 1.0}, batch_size=2)


def _build(cache: Path) -> Path:
    return build_examples(cache, CONFIG, MODEL, 0, lambda done, total: None)


def test_examples_are_read_as_they_were_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enhancer_examples, "SHARD", 6)
    tokenizer = build_tokenizer(MODEL.words)
    data = SftData(_build(tmp_path), 2, 0, tokenizer)
    assert len(data.examples) == 16
    for seed, example in enumerate(data.examples):
        lesson = draw_lesson(CONFIG.capability(seed), seed, "train", LEXICON)
        dialogue = read_prompt(lesson.prompt, lesson.media, tokenizer, MODEL.image_side)
        assert example.ids[: example.answer_start] == dialogue.ids
        seen = data.pictures[list(example.pictures)].float() / 127.5 - 1.0
        torch.testing.assert_close(seen, dialogue.pixels_ICHW, atol=1 / 127, rtol=0)
    assert any(e.pictures for e in data.examples[6:])  # counted on over the shards


def test_what_is_missing_is_drawn_and_the_rest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enhancer_examples, "SHARD", 6)
    first, second, third = sorted(_build(tmp_path).iterdir())
    bytes_before, kept = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    assert _build(tmp_path) == first.parent
    assert second.read_bytes() == bytes_before
    assert first.stat().st_mtime_ns == kept and third.exists()


def test_other_settings_are_other_examples(tmp_path: Path) -> None:
    def folder(config: SftDataConfig) -> Path:
        return build_examples(tmp_path, config, MODEL, 0, lambda done, total: None)

    assert folder(CONFIG) != folder(replace(CONFIG, mix={"C20": 1.0}))
