"""The tiny enhancer's reading and writing of words: typos, facts, slots, tokens."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.enhancer import StructuredPrompt, StructureError, parse_structured
from omnireel.enhancer.tiny.checks import (
    lonely,
    lost_facts,
    said_twice,
)
from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.facts import Fact, Lexicon
from omnireel.enhancer.tiny.modeling import PATCHES
from omnireel.enhancer.tiny.sft import answer_tokens, collate, make_example
from omnireel.enhancer.tiny.spelling import repair
from omnireel.enhancer.tiny.vocabulary import build_tokenizer, join_tokens
from omnireel.mvl import Input, parse
from omnireel.recipes import enhancer_words
from omnireel.types import Clip, MediaKind, Role

KNOWN = frozenset(
    ("a", "the", "red", "ball", "green", "robot", "yellow", "cylinder", "jumps", "and", "plays")
)
LEXICON = enhancer_words.lexicon()
IMAGE = Input("Image_1", MediaKind.IMAGE, Role.FIRST_FRAME)
WORDS = [*KNOWN, "rolls", "in", "meadow", "natural", "camera", "static", "as", "first", "frame"]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("yelow", "yellow"), ("gren", "gren"), ("cilinder", "cylinder"), ("robto", "robot"),
        ("ball", "ball"), ("bell", "bell"), ("rbot", "rbot"), ("dragon", "dragon"),
    ],
)  # fmt: skip
def test_only_clear_slips_are_repaired(typed: str, read: str) -> None:
    # words of four letters ("gren", "bell", "rbot") are too short to be sure of
    assert repair(typed, KNOWN) == read


def test_facts_are_found_with_the_longest_phrase_first() -> None:
    snow = Fact("weather", "snow", ("falling snow",), ("falling snow",))
    field = Fact("place", "snowfield", ("snow",), ("snowy field",))
    lexicon = Lexicon([snow, field])
    assert lexicon.stated("More FALLING snow, snow!") == [(snow,), (field,)]
    assert lexicon.lost("snow", "a snowy field") == []
    assert lexicon.lost("snow", "a meadow") == [(field,)]
    assert lexicon.lost("snow", "a meadow", ignore=frozenset({"place"})) == []
    assert Lexicon.from_data(lexicon.to_data()).facts == lexicon.facts


def test_a_word_with_two_meanings_needs_one_of_them() -> None:
    lexicon = enhancer_words.lexicon()
    assert lexicon.lost("a kid", "A boy in red jumps.") == []
    assert lexicon.lost("a kid", "A cat jumps.") != []
    lost = lexicon.lost("crimson orb in the garden", "A red cube in a meadow.")
    assert [facts[0].name for facts in lost] == ["ball"]


def test_names_and_unknown_words_become_slots_and_come_back() -> None:
    tokenizer = build_tokenizer(WORDS)
    prompt = parse("@Image_1 and a Zorple ball", [IMAGE])
    media = {"Image_1": (Clip(np.full((1, 48, 64, 3), 255, np.uint8)),)}
    dialogue = read_prompt(prompt, media, tokenizer, 32)
    tokens = tokenizer.convert_ids_to_tokens(list(dialogue.ids))
    assert tokens[:3] == ["<begin>", "<m0>", "<first_frame>"]
    assert tokens.count("<image>") == PATCHES
    assert tokens[-7:] == ["<user>", "<m0>", "and", "a", "<w0>", "ball", "<answer>"]
    assert dialogue.pixels_ICHW.shape == (1, 3, 32, 32)
    assert float(dialogue.pixels_ICHW.min()) == 1.0
    assert dialogue.restore("a <w0> ball and <m0>") == "a Zorple ball and @Image_1"
    with pytest.raises(StructureError, match="not given"):
        dialogue.restore("<m1>")


def test_too_many_unknown_words_are_refused() -> None:
    with pytest.raises(StructureError, match="does not know"):
        read_prompt(
            parse("alpha beta gamma delta epsilon zeta eta"), {}, build_tokenizer(WORDS), 32
        )


def test_an_answer_survives_tokens_and_back() -> None:
    tokenizer = build_tokenizer(WORDS)
    answer = StructuredPrompt(
        subjects=("a red ball", "<m0>"),
        summary="red ball",
        kept="",
        description="a red ball rolls, in the meadow.",
        motion="ball rolls",
        camera="static camera",
        style="natural",
    )
    tokens = answer_tokens("red ball", answer, tokenizer)
    assert not any(t.startswith("##") or t == "<unknown>" for t in tokens)
    assert parse_structured(join_tokens(tokens)) == answer


def test_only_answer_tokens_are_learnt() -> None:
    tokenizer = build_tokenizer(WORDS)
    dialogue = read_prompt(parse("red ball"), {}, tokenizer, 32)
    answer = StructuredPrompt(("a red ball",), "red ball", "", "a red ball rolls.")
    example = make_example(dialogue, "red", answer, (), tokenizer)
    short = make_example(dialogue, "red", StructuredPrompt((), "", "", "ball"), (), tokenizer)
    pictures = dialogue.pixels_ICHW.byte()
    batch = collate([example, short], pictures, pad_id=tokenizer.pad_token_id)
    learnt = batch.labels_BN[0] != -100
    assert learnt.tolist() == [False] * len(dialogue.ids) + [True] * (
        len(example.ids) - len(dialogue.ids)
    )
    assert (batch.labels_BN[0][learnt] == batch.ids_BN[0][learnt]).all()
    assert (batch.labels_BN[1][len(short.ids) :] == -100).all()


@pytest.mark.parametrize(
    ("written", "lost"),
    [
        ("Film <m0> again from down low, with nothing else changed.", []),
        ("Show the scene of <m0> from high above the ground.", ["from_low"]),
        ("A new camera angle of <m0>: the view is from the left.", ["from_low"]),
    ],
)
def test_the_view_that_was_asked_for_is_kept(written: str, lost: list[str]) -> None:
    lexicon, said = enhancer_words.lexicon(), "look at <m0> from low above the ground"
    shot = parse("@V", [Input("V", MediaKind.VIDEO, Role.REFERENCE)])
    assert [fact.name for fact in lost_facts(lexicon, said, shot, written)] == lost
    assert lost_facts(lexicon, "a ball rolls in from the left", parse("a ball"), "a ball") == []


def test_closer_is_a_view_of_a_shot_and_a_motion_of_a_subject() -> None:
    lexicon = enhancer_words.lexicon()
    assert lexicon.noted("look at <m0> from closer") == "from closer"
    assert lexicon.noted("the cat coming closer") == "cat approach"


@pytest.mark.parametrize(
    ("written", "again"),
    [
        ("a red red cat jumps.", "red"),
        ("remove the cat, add fog and remove the cat.", "remove the cat"),
        ("a cat turns around and around, and a ball jumps again and again.", ""),
        ("a cat in the front stands still, and a ball in the back stands still.", ""),
    ],
)
def test_nothing_is_said_twice(written: str, again: str) -> None:
    assert said_twice(written) == again


def test_company_that_was_asked_for_is_not_left_out() -> None:
    lexicon, said = enhancer_words.lexicon(), "<m0> jumping plus something"
    prompt = parse("@A jumping plus something", [Input("A", MediaKind.IMAGE, Role.REFERENCE)])
    assert lonely(lexicon, said, prompt, "<m0> jumps in a room.", ("A",))
    assert not lonely(lexicon, said, prompt, "<m0> and a red ball jump in a room.", ("A",))
    assert not lonely(lexicon, "a toy robot", prompt, "a robot stands still.", ("A",))
