"""Lessons for the tiny enhancer: answers keep what the questions say."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.enhancer.schema import mentions, to_prompt
from omnireel.enhancer.tiny.checks import lost_facts
from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.sft import answer_tokens
from omnireel.enhancer.tiny.vocabulary import build_tokenizer
from omnireel.recipes import build_recipe, enhancer_data, enhancer_words
from omnireel.recipes.enhancer import EnhancerRecipe, held_out_lessons
from omnireel.recipes.enhancer_data import draw_lesson, with_slots
from omnireel.recipes.enhancer_examples import SftDataConfig
from omnireel.types import Clip
from omnireel.world.holdout import split_of
from omnireel.world.tasks import CAPABILITIES

TOKENIZER = build_tokenizer(enhancer_words.vocabulary())
LEXICON = enhancer_words.lexicon()


@pytest.fixture
def _no_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = Clip(np.zeros((1, 8, 8, 3), np.uint8))
    monkeypatch.setattr(enhancer_data, "_first_frame", lambda *_: blank)


@pytest.mark.usefixtures("_no_rendering")
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_answers_keep_facts_and_mentions_and_use_known_words(capability: str) -> None:
    kept = 0
    for seed in range(12):
        lesson = draw_lesson(capability, seed, "train", LEXICON)
        dialogue = read_prompt(lesson.prompt, lesson.media, TOKENIZER, 32)
        thought, answer = with_slots(lesson, dialogue, LEXICON)
        tokens = answer_tokens(thought, answer, TOKENIZER)
        assert thought.endswith(f"said {LEXICON.noted(dialogue.text)}".strip())
        assert ("sees" in thought) == bool(len(dialogue.pixels_ICHW))  # as when serving
        assert not [t for t in tokens if t.startswith("##") or t == "<unknown>"]
        assert mentions(lesson.prompt) <= mentions(to_prompt(lesson.answer, lesson.prompt))
        kept += not lost_facts(LEXICON, dialogue.text, lesson.prompt, answer.description)
        assert split_of(lesson.scene) == "train"
    # words with several readings ("snow", "drawn") make the odd reference answer look lossy
    assert kept >= 11


def test_lessons_are_reproducible_with_pictures() -> None:
    first = draw_lesson("C18", 3, "held_out", LEXICON)
    again = draw_lesson("C18", 3, "held_out", LEXICON)
    assert (first.prompt, first.answer, first.sees) == (again.prompt, again.answer, again.sees)
    frames, same = first.media["Image_1"][0].frames_THWC, again.media["Image_1"][0].frames_THWC
    assert (frames == same).all()
    assert frames.std() > 5
    assert split_of(first.scene) == "held_out"


@pytest.mark.usefixtures("_no_rendering")
def test_held_out_lessons_follow_the_mix() -> None:
    lessons = held_out_lessons(SftDataConfig(mix={"C20": 1.0}), 3)
    assert [lesson.capability for lesson in lessons] == ["C20"] * 3
    assert len({lesson.prompt.text for lesson in lessons}) > 1


def test_the_recipes_are_complete() -> None:
    for name in ("enhancer-debug", "enhancer-tiny"):
        recipe = build_recipe(name)
        assert isinstance(recipe, EnhancerRecipe)
        config = recipe.model_config()
        assert config.text_config.vocab_size == len(TOKENIZER)
