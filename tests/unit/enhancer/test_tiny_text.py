"""The tiny enhancer's reading and writing of words: typos, facts, slots, tokens."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.enhancer import StructuredPrompt, StructureError, parse_structured
from omnireel.enhancer.tiny.checks import (
    lonely,
    lost_facts,
    lost_newcomers,
    lost_removals,
    made_up_things,
    replaced_by_itself,
    said_twice,
    untaught,
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
    ("said", "puzzle"),
    [
        ("red pink red, boy of the next color", True), ("blue plus yellow, girl", True),
        ("a ball, a cube and a star, four less two of them", True),
        ("cone in the color of the sea", True),
        ("cat blue just there plus something", False), ("a red ball plus some object", False),
        ("make it <m0> plus <m1>", False),
    ],
)  # fmt: skip
def test_puzzles_are_left_to_those_who_were_taught_them(said: str, puzzle: bool) -> None:
    prompt = parse(said)
    assert ("puzzles" in untaught(LEXICON, prompt, said, ["C20"])) is puzzle
    assert untaught(LEXICON, prompt, said, ["C20", "C23"]) == ""


@pytest.mark.parametrize(
    ("said", "addition"),
    [
        ("a red star too", True), ("add some cone", True), ("put white block in there", True),
        ("also a teal kitty please", True), ("add a cube to <m0>", True),
        ("add falling snow", False), ("add sparkles to the cube", False), ("a bear instead", False),
        ("make the ball green too", False), ("also make the cat red", False),
        ("add a ball and make it night", False), ("<m1> too", False),
        ("put a bear in the place of the cat", False),
    ],
)  # fmt: skip
def test_additions_to_a_video_stay_in_the_users_words(said: str, addition: bool) -> None:
    video = Input("Video_1", MediaKind.VIDEO, Role.SOURCE)
    prompt = parse("@Video_1", [video])
    assert ("has room" in untaught(LEXICON, prompt, said, ["C20"])) is addition
    assert untaught(LEXICON, prompt, said, ["C4"]) == ""


@pytest.mark.parametrize(
    ("said", "marks"),
    [
        ("that girl along the arrow, <m0>", True), ("a sphere in the box, <m0>", True),
        ("the box is some pyramid, <m0>", True), ("arrow for the ring, box for a cube, <m0>", True),
        ("<m0> and a red box on the beach", False), ("the box jumps like in <m0>", False),
    ],
)  # fmt: skip
def test_marks_on_a_picture_stay_in_the_users_words(said: str, marks: bool) -> None:
    prompt = parse("@Image_1", [Input("Image_1", MediaKind.IMAGE, Role.REFERENCE)])
    assert ("marks" in untaught(LEXICON, prompt, said, ["C20"])) is marks
    assert untaught(LEXICON, prompt, said, ["C22"]) == ""


def test_a_video_to_go_on_from_is_left_to_those_who_were_taught_shots() -> None:
    video = Input("Video_1", MediaKind.VIDEO, Role.REFERENCE)
    prompt = parse("next shot of @Video_1", [video])
    assert "shots" in untaught(LEXICON, prompt, "next shot of <m0>", [])
    assert untaught(LEXICON, prompt, "next shot of <m0>", ["C13"]) == ""
    assert untaught(LEXICON, prompt, "what happens next in <m0>", ["C13"]) == ""
    assert "puzzles" in untaught(LEXICON, parse("what happens next"), "what happens next", ["C13"])
    moves = Input("Video_1", MediaKind.VIDEO, Role.MOTION)
    assert (
        untaught(
            LEXICON, parse("a cat moves as in @Video_1", [moves]), "a cat moves as in <m0>", []
        )
        == ""
    )


@pytest.mark.parametrize(
    ("written", "itself"),
    [
        ("in <m0>, put a green cube in the place of the green cube.", True),
        ("change the red cone of <m0> into a large red cone, keep everything else.", True),
        ("change the red cone of <m0> into a red cube.", False),
        ("change the red cone of <m0> into a big green cone.", False),
        ("add sparkles to the blue cat and make the blue cat red in <m0>.", False),
        ("replace the blue cube with a teal star and add bubbles to the teal star.", False),
    ],
)
def test_nothing_is_replaced_by_itself(written: str, itself: bool) -> None:
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    lexicon = enhancer_words.lexicon()
    assert bool(replaced_by_itself(lexicon, source, written)) is itself
    assert replaced_by_itself(lexicon, parse("a cube"), written) == []


@pytest.mark.parametrize(
    ("said", "written", "lost"),
    [
        ("a cone instead", "Replace the red ball in <m0> with a green cone.", []),
        ("a cone instead", "In <m0>, put a green cone in the place of the red ball.", []),
        ("a cone instead", "Recolor the green cone to white, keep everything else.", ["cone"]),
        ("a cone instead", "Change the green cone of <m0> into a red cone.", ["cone"]),
        (
            "star instead, bubbles",
            "Replace the cube in <m0> with a teal star and add bubbles to the teal star.",
            [],
        ),
        ("another cone not the cone", "Change the green cone of <m0> into a red cone.", []),
        (
            "<m0> not that robot and <m1> not the cone",
            "Replace the robot in <m2> with <m0> and the cone with <m1>.",
            [],
        ),
        ("swap ball with some robot", "Swap the red ball in <m0> for a teal robot.", []),
        ("swap ball with some robot", "Swap the teal robot in <m0> for a red ball.", ["robot"]),
        ("yellow kid instead", "Change the cat of <m0> into a boy in yellow.", []),
        ("yellow kid instead", "Change the clothes of the girl in <m0> to yellow.", ["girl"]),
        ("cat not the ball, in snow", "Change the ball of <m0> into a cat with a hat.", []),
        ("make it a star", "Swap the ball with a hat in <m0> for a star.", []),
        ("turn the ball green", "Recolor the ball to green.", []),
        ("green instead", "Recolor the ball to green.", []),
        ("do not touch the ball, add a cat", "Add a red cat to <m0>.", []),
    ],
)
def test_who_comes_in_the_place_of_another_is_not_mixed_up(
    said: str, written: str, lost: list[str]
) -> None:
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    lexicon = enhancer_words.lexicon()
    assert [f.name for f in lost_newcomers(lexicon, said, source, written)] == lost
    assert lost_newcomers(lexicon, said, parse("a ball"), written) == []


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
    ("said", "written", "kept"),
    [
        ("no black ring, meadow", "remove the black ring and change the background.", []),
        ("no black ring, meadow", "replace the cat with a black ring.", ["ring"]),
        ("no black ring, meadow", "replace the black ring with a cat.", ["ring"]),
        ("no black ring, meadow", "remove the black ring and paint the black ring.", ["ring"]),
        ("without the kid please", "make the boy in red go away.", []),
        ("a black ring instead", "replace the cat with a black ring.", []),
    ],
)
def test_what_shall_go_is_removed(said: str, written: str, kept: list[str]) -> None:
    lexicon = enhancer_words.lexicon()
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    assert [kind.name for kind in lost_removals(lexicon, said, source, written)] == kept
    assert lost_removals(lexicon, said, parse(said), written) == []


def test_edits_put_nothing_on_a_subject_that_nobody_spoke_of() -> None:
    lexicon, written = enhancer_words.lexicon(), "swap the cat for a red robot with a blue hat."
    source = parse("@V", [Input("V", MediaKind.VIDEO, Role.SOURCE)])
    made_up = made_up_things(lexicon, "a robot instead", source, written)
    assert [fact.name for fact in made_up] == ["hat"]
    assert made_up_things(lexicon, "a robot with a hat instead", source, written) == []


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
    assert lonely(lexicon, said, prompt, ("A",), "<m0> jumps in a room.")
    assert not lonely(lexicon, said, prompt, ("A",), "<m0> and a red ball jump in a room.")
    assert not lonely(lexicon, "a toy robot", prompt, ("A",), "a robot stands still.")
