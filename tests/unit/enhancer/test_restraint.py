"""What is not written in the first place: kinds, patterns and things to wear that nobody asked for,
and a kind twice."""

from __future__ import annotations

import pytest
import torch

from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.restraint import (
    EndsAsSaid,
    Restraint,
    Without,
    names_a_color,
    restrained,
)
from omnireel.enhancer.tiny.vocabulary import AND, OPEN, build_tokenizer, key_token
from omnireel.enhancer.tiny.writing import most_likely
from omnireel.mvl import Input, parse
from omnireel.recipes import enhancer_words
from omnireel.types import MediaKind, Role

TOKENIZER = build_tokenizer(enhancer_words.vocabulary())
LEXICON = enhancer_words.lexicon()


def _choose(said: str, wishes: list[str], inputs: list[Input] | None = None) -> list[str]:
    """What is written when the model wants each word in turn, with "ball" as its second choice
    and "moves" as its third."""
    rule = restrained(most_likely, LEXICON, TOKENIZER, said, parse(said, inputs or []))
    tokens = []
    for wish in wishes:
        odds_BV = torch.zeros(1, len(TOKENIZER))
        for share, word in ((0.1, "moves"), (0.3, "ball"), (0.6, wish)):
            odds_BV[0, TOKENIZER.convert_tokens_to_ids(word)] = share
        tokens.append(int(rule(odds_BV)[0]))
    return list(TOKENIZER.convert_ids_to_tokens(tokens))


def test_the_second_subject_is_not_the_first_again() -> None:
    said = "a purple cylinder and a pink ball"
    wishes = [OPEN, "cylinder", AND, "cylinder", key_token("motion"), "cylinder", "cylinder"]
    assert _choose(said, wishes) == [
        OPEN, "cylinder", AND, "ball", key_token("motion"), "cylinder", "ball",
    ]  # fmt: skip


def test_a_kind_that_nobody_asked_for_is_not_named() -> None:
    assert _choose("a red cube", ["star", "cube", "cube"]) == ["moves", "cube", "moves"]
    assert _choose("a pink kid", ["girl", "boy", "cat"]) == ["girl", "boy", "moves"]


@pytest.mark.parametrize("said", ["something red", "at night"])
def test_an_open_subject_can_be_anything_once(said: str) -> None:
    assert _choose(said, ["star", "star"]) == ["star", "ball"]


def test_what_a_subject_wears_is_for_the_user_to_say() -> None:
    made_up = ["wearing", "striped", "hat", "with"]
    assert _choose("a red cube", made_up) == ["moves"] * len(made_up)
    assert _choose("a cat with a hat", ["wearing", "hat"]) == ["wearing", "hat"]
    assert _choose("a dotted cube", ["dotted", "with", "dots"]) == ["dotted", "with", "dots"]


def test_nothing_is_restrained_where_a_kind_is_named_twice_or_a_video_is_edited() -> None:
    assert _choose("a red star and a blue star", ["star", "star"]) == ["star", "star"]
    video = [Input("Video_1", MediaKind.VIDEO, Role.SOURCE)]
    assert _choose("make the star of @Video_1 red", ["star", "cone"], video) == ["star", "cone"]


def test_edits_make_up_no_patterns_either() -> None:
    video = [Input("Video_1", MediaKind.VIDEO, Role.SOURCE)]
    wishes = ["striped", "with", "hat"]
    assert _choose("make the star of @Video_1 red", wishes, video) == ["ball", "with", "hat"]
    assert _choose("a star with stripes in @Video_1", wishes, video) == wishes


def test_subjects_of_an_edit_end_as_the_user_says() -> None:
    said, source = "make the ball green", [Input("V", MediaKind.VIDEO, Role.SOURCE)]
    assert names_a_color(LEXICON, said, parse("@V", source))
    assert not names_a_color(LEXICON, "make the ball jump", parse("@V", source))
    assert not names_a_color(LEXICON, said, parse(said))
    rule = EndsAsSaid(most_likely, LEXICON, TOKENIZER, said)
    red, green = (TOKENIZER.convert_tokens_to_ids(w) for w in ("red", "green"))
    odds_BV = torch.zeros(2, len(TOKENIZER))
    odds_BV[:, red], odds_BV[:, green] = 0.6, 0.4
    assert rule(odds_BV).tolist() == [green, green]
    ends_BV = odds_BV.clone()
    ends_BV[0, TOKENIZER.convert_tokens_to_ids(key_token("motion"))] = 0.9
    rule(ends_BV)
    assert rule(odds_BV).tolist() == [red, green]  # the first row has left its subjects behind


@pytest.mark.parametrize("said", ["go on with @V", "next shot of @V, a cube going left"])
def test_whoever_a_shot_shows_may_be_named_when_it_goes_on(said: str) -> None:
    shot = [Input("V", MediaKind.VIDEO, Role.REFERENCE)]
    assert _choose(said, ["star", "star", "cube"], shot) == ["star", "ball", "cube"]
    image = [Input("V", MediaKind.IMAGE, Role.REFERENCE)]  # a picture names its subject itself
    assert _choose("@V jumps", ["star"], image) == ["moves"]


def test_slots_that_stand_for_nothing_are_not_written() -> None:
    image = [Input("V", MediaKind.IMAGE, Role.REFERENCE)]
    dialogue = read_prompt(parse("a zorbly cube and @V", image), {}, TOKENIZER, 32)
    rule = Without(most_likely, TOKENIZER, dialogue.empty_slots)
    odds_BV = torch.zeros(1, len(TOKENIZER))
    ids = TOKENIZER.convert_tokens_to_ids(["<w1>", "<m1>", "<w0>", "<m0>"])
    for share, token in zip((0.4, 0.3, 0.2, 0.1), ids, strict=True):
        odds_BV[0, token] = share
    assert rule(odds_BV).tolist() == [ids[2]]
    assert Without(most_likely, TOKENIZER, frozenset())(odds_BV).tolist() == [ids[0]]


def test_rows_remember_on_their_own() -> None:
    rule = restrained(most_likely, LEXICON, TOKENIZER, "anything", parse("anything"))
    assert isinstance(rule, Restraint)
    star, cone = (TOKENIZER.convert_tokens_to_ids(w) for w in ("star", "cone"))
    odds_BV = torch.zeros(2, len(TOKENIZER))
    odds_BV[0, star], odds_BV[0, cone], odds_BV[1, cone], odds_BV[1, star] = 0.6, 0.4, 0.6, 0.4
    assert rule(odds_BV).tolist() == [star, cone]
    assert rule(odds_BV).tolist() == [cone, star]
    assert float(odds_BV.sum()) == pytest.approx(2.0)  # the certainty is not touched
