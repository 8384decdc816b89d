"""Every reward of the enhancer, and answers that try to cheat it."""

from __future__ import annotations

import json

import pytest

from omnireel.enhancer.schema import StructuredPrompt
from omnireel.enhancer.tiny.dialogue import read_prompt
from omnireel.enhancer.tiny.vocabulary import build_tokenizer
from omnireel.errors import InvalidInput
from omnireel.mvl import Input, parse
from omnireel.recipes import enhancer_rewards, enhancer_words
from omnireel.recipes.enhancer_closeness import CaptionModel, caption_model
from omnireel.recipes.enhancer_rewards import Judge, RewardCase, RewardConfig
from omnireel.types import MediaKind, Role

TOKENIZER = build_tokenizer(enhancer_words.vocabulary())
LEXICON = enhancer_words.lexicon()
SAID = "crimson orb jumping with a blue box at the seaside"
RIGHT = (
    "on the beach, a red ball on the left jumps up and down while a blue cube on the right stands "
    "still."
)
EVERY_COLOR = "a red orange yellow green teal blue purple pink white black ball jumps on the beach."


def _case(said: str = SAID, right: str = RIGHT, sees: str = "") -> RewardCase:
    inputs = [Input("Image_1", MediaKind.IMAGE, Role.FIRST_FRAME)] if "@" in said else []
    prompt = parse(said, inputs)
    answer = StructuredPrompt(("x",), "x", "", right, motion="x", camera="x", style="x")
    return RewardCase(prompt, read_prompt(prompt, {}, TOKENIZER, 32), sees, answer)


def _text(description: str, subjects: str = '"a red ball"') -> str:
    rest = {"motion": "m", "camera": "c", "style": "s", "kept": "", "summary": "y"}
    sections = json.dumps({**rest, "description": description}, separators=(",", ":"))
    return f'<think> said x </think>{{"subjects":[{subjects}],{sections[1:]}'


def _judge() -> Judge:
    return Judge(LEXICON, caption_model(("C20",)).closeness)


def _facts(written: str, case: RewardCase | None = None) -> float:
    return enhancer_rewards.facts(LEXICON, case or _case(), written)


def test_the_right_answer_gets_nearly_everything() -> None:
    rewards = _judge()(_case(), _text(RIGHT), ended=True)
    assert rewards.pop("closeness") > 0.5
    assert rewards.pop("total") > 0.9
    assert rewards == pytest.approx(dict.fromkeys(rewards, 1.0))


def test_facts_count_and_losing_none_counts_most() -> None:
    placeless = RIGHT.replace("on the beach, ", "")
    one_lost, two_lost = _facts(placeless), _facts(placeless.replace("blue ", ""))
    assert 0.5 > one_lost > two_lost > 0.1
    assert _facts("a picture.") == 0.0


def test_facts_must_be_on_their_subject() -> None:
    swapped = RIGHT.replace("red", "x").replace("blue", "red").replace("x", "blue")
    assert LEXICON.lost(SAID, swapped) == []  # the words are all there
    assert _facts(swapped) < 0.5


def test_clothes_are_the_colour_of_people() -> None:
    case = _case(
        "a boy in red and a green cat", "a boy in striped red clothes jumps; a green cat jumps."
    )
    assert _facts("a boy in red clothes spins; a green cat spins.", case) == 1.0
    assert _facts("a boy in green clothes spins; a red cat spins.", case) < 0.5


def test_naming_every_place_does_not_keep_the_place() -> None:
    cheat = RIGHT.replace("on the beach", "on the beach, in the desert, in a room, in a meadow")
    assert _facts(cheat) < 0.5 * _facts(RIGHT)


def test_what_the_pictures_show_is_a_fact_too() -> None:
    right = "the video starts from <m0>. a green cone spins around in a room."
    case = _case("make @Image_1 move", right, sees="sees <m0> green cone cozy room;")
    assert _facts("animate <m0>. a green cone slides to the left in a room.", case) == 1.0
    assert _facts("animate <m0>. a green star slides to the left in a room.", case) < 0.5


def test_richness_wants_every_aspect_and_no_more() -> None:
    def rich(written: str) -> float:
        answer = StructuredPrompt(("x",), "x", "", written, motion="x", camera="x", style="x")
        return enhancer_rewards.richness(LEXICON, _case(), answer)

    assert rich(RIGHT) == 1.0
    assert rich("a red ball.") < rich("a red ball jumps.") < rich("a red ball jumps on the beach.")
    assert rich(f"{RIGHT} {RIGHT}") == rich(RIGHT)  # saying it twice gains nothing
    bare = StructuredPrompt((), "", "", RIGHT)
    assert enhancer_rewards.richness(LEXICON, _case(), bare) < 0.6


@pytest.mark.parametrize(
    "cheat",
    [
        f"{RIGHT} {RIGHT}",
        EVERY_COLOR,
        f'subjects: red ball. summary: {RIGHT}',
        f"{RIGHT} a white cat jumps.",
        RIGHT + " it is nice and" * 10,
        "",
    ],
)  # fmt: skip
def test_plausibility_sees_cheating(cheat: str) -> None:
    assert enhancer_rewards.plausibility(LEXICON, _case(), RIGHT) == 1.0
    assert enhancer_rewards.plausibility(LEXICON, _case(), cheat) <= 0.5


def test_closeness_prefers_captions_to_heaps_of_words() -> None:
    model = caption_model(("C20",))
    assert model.closeness(RIGHT) > 0.5
    assert model.closeness(EVERY_COLOR) < 0.5 * model.closeness(RIGHT)
    words = RIGHT.split()
    assert model.closeness(" ".join(words[::-1])) < 0.1
    assert model.closeness("") == 0.0


def test_the_caption_model_computes_probabilities() -> None:
    model = CaptionModel(["a b", "a b", "a c", "a c", "a b"])
    words = ["a", "b", "c", "<end>", "never"]
    total = sum(model._probability(("", "a"), word) for word in words)
    assert total == pytest.approx(1.0)
    assert model.score("a b") == model.score("a c") > model.score("c a")


def test_form() -> None:
    case = _case("a zorple ball @Image_1", "x")

    def form(text: str, written: str, *, ended: bool = True) -> float:
        return enhancer_rewards.form(case, text, written, ended=ended)

    good = "<m0> shows a <w0> ball."
    assert form(_text(good), good) == 1.0
    assert form(_text(good), good, ended=False) == pytest.approx(2 / 3)
    assert form(_text(good).replace('"camera"', '"lens"'), good) == pytest.approx(2 / 3)
    assert form(_text(good) * 2, good) == pytest.approx(2 / 3)  # everything written twice
    for bad in ("a <w0> ball.", "<m0> shows a ball.", "<m0> and <m5> show a <w0> ball."):
        assert form(_text(bad), bad) == pytest.approx(2 / 3)


def test_what_does_not_parse_gets_nothing() -> None:
    rewards = _judge()(_case(), _text(RIGHT)[:-2], ended=False)
    assert set(rewards.values()) == {0.0}


@pytest.mark.parametrize("cheat", [EVERY_COLOR, f"{RIGHT} {RIGHT}", "a ball on the beach.", ""])
def test_no_cheat_pays(cheat: str) -> None:
    judge, case = _judge(), _case()
    honest = judge(case, _text(RIGHT), ended=True)["total"]
    assert judge(case, _text(cheat), ended=True)["total"] < honest - 0.1


def test_the_total_is_the_weighted_mean() -> None:
    config = RewardConfig(facts=3.0, richness=1.0, plausibility=0.0, closeness=0.0, form=0.0)
    terms = {"facts": 1.0, "richness": 0.5, "plausibility": 0.0, "closeness": 0.0, "form": 0.0}
    assert config.total(terms) == pytest.approx((3.0 + 0.5) / 4)
    with pytest.raises(InvalidInput):
        RewardConfig(facts=-1.0)
