"""The tiny enhancer's back-end, on a random model and on the shipped one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnireel.enhancer import open_enhancer
from omnireel.enhancer.base import never
from omnireel.enhancer.schema import StructureError
from omnireel.enhancer.tiny import backend
from omnireel.enhancer.tiny.backend import Thought, TinyEnhancer
from omnireel.enhancer.tiny.checks import Draft, check_subjects, unsure_words
from omnireel.enhancer.tiny.dialogue import Dialogue
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.word_for_word import word_for_word
from omnireel.enhancer.tiny.writing import Drafts, Written, write
from omnireel.errors import IntegrityError
from omnireel.mvl import Input, Prompt, parse
from omnireel.recipes import enhancer_words
from omnireel.recipes.enhancer_data import draw_lesson
from omnireel.recipes.enhancer_scores import score
from omnireel.registry import save_component
from omnireel.types import Clip, MediaKind, Role


class Scripted(TinyEnhancer):
    """Answers what it is told to."""

    says: tuple[str, ...] = ()

    unsure: frozenset[str] = frozenset()

    def write(
        self,
        prompt: Prompt,
        dialogue: Dialogue,
        thought: Thought,
        numbers: Sequence[int] = (0,),
        *,
        as_said: bool = False,
        cancelled: Callable[[], bool] = never,
    ) -> list[Draft]:
        said = [self.says[min(n, len(self.says) - 1)] for n in numbers]
        texts = [f'<think> x </think>{{"subjects":["a ball"],"description":"{s}"}}' for s in said]
        return [Draft(text, self.unsure) for text in texts]


def test_a_puzzle_is_solved_when_the_hidden_fact_is_stated(model: Model) -> None:
    lexicon = enhancer_words.lexicon()
    lessons = [draw_lesson("C23", seed, "held_out", lexicon) for seed in range(20)]
    lesson = next(le for le in lessons if not le.media)
    right = lesson.answer.description.lower()
    color = next(f[0].name for f in lexicon.stated(right) if f[0].group == "color")
    wrong = right.replace(color, "red" if color != "red" else "blue")
    enhancer = Scripted(model)
    for said, solved in ((right, 1.0), (wrong, 0.0)):
        enhancer.says = (said,)
        assert score(enhancer, [lesson])["puzzles_solved"] == solved
    plain = draw_lesson("C20", 0, "held_out", lexicon)
    assert "puzzles_solved" not in score(enhancer, [plain])


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        ("a crimson orb", "a red ball rolls in a meadow.", ""),
        ("a crimson orb", "a green ball rolls in a meadow.", "would have lost 'red'"),
        ("a red ball on the beach", "a red ball rolls.", "would have lost 'beach'"),
        ("a zorple ball", "a <w0> ball rolls.", ""),
        ("a zorple ball", "a ball rolls.", "does not know 'zorple'"),
        ("a ball", "a <w0> ball rolls.", "not given"),
        ("a red ball", "a red ball and a cube roll.", "would have added 'cube'"),
        ("a red ball", "a red ball and a blue ball roll.", "would have added 'ball'"),
        ("a red ball and some object", "a red ball and a cube roll.", ""),
        ("a red ball and some object", "a red ball rolls.", "the second subject"),
        ("something red", "a red cube slides.", ""),
        ("pink bear, black ball", "a pink bear and a black ball roll.", ""),
        ("pink bear, black ball", "a pink ball and a black bear roll.", "the colour of 'ball'"),
        ("a red and white ball", "a striped red ball with white stripes rolls.", ""),
        ("a ball, red or blue", "a blue ball and red fire.", ""),
        ("a girl in red, a cat", "a girl in red and a green cat jump.", ""),
        ("a red lass, a blue cat", "a girl in blue and a red cat jump.", "the colour of 'girl'"),
        ("three red balls", "a red ball rolls.", "have lost 'three'"),
        ("3 red balls", "a red ball rolls.", "have lost '3'"),
        ("cube spins, cat jumps", "a cube jumps, and a cat spins.", "what 'cube', 'cat' does"),
        ("a cat", "a red red cat rolls.", "say 'red' twice"),
        ("a cat on the left", "a cat on the right jumps.", "'cat' in another place"),
    ],
)
def test_facts_and_unknown_words_are_guarded(
    model: Model, asked: str, said: str, reason: str
) -> None:
    enhancer = Scripted(model)
    enhancer.says = (said,)
    prompt = parse(asked)
    result = enhancer.enhance(prompt, {})
    if reason:
        assert reason in result.fallback_reason
        assert result.prompt == word_for_word(enhancer.lexicon, prompt, enhancer.known)
    else:
        assert result.fallback_reason == ""
        assert result.prompt.text == f"A{said[1:]}".replace("<w0>", "zorple")


def test_the_first_draft_that_keeps_every_fact_is_used(model: Model) -> None:
    enhancer = Scripted(model)
    enhancer.says = ("a blue ball rolls.", "a red cube rolls.", "a red ball rolls.", "a red ball.")
    result = enhancer.enhance(parse("a red ball"), {})
    assert result.prompt.text == "A red ball rolls."
    enhancer.says = ("a blue ball rolls.", "a red cube rolls.")
    result = enhancer.enhance(parse("a red ball"), {})
    assert "would have lost 'red'" in result.fallback_reason
    assert '"a blue ball rolls."' in result.raw_output


def test_guesses_at_pictures_are_not_passed_on(model: Model) -> None:
    enhancer = Scripted(model)
    enhancer.says, enhancer.unsure = (
        ("the video starts from <m0>. a red cube spins.",),
        frozenset({"cube"}),
    )
    frame = [Input("Image_1", MediaKind.IMAGE, Role.FIRST_FRAME)]
    result = enhancer.enhance(parse("animate @Image_1", frame), {})
    assert "cannot make out" in result.fallback_reason
    result = enhancer.enhance(parse("animate @Image_1, the cube spins", frame), {})
    assert result.prompt.text == "The video starts from @Image_1. A red cube spins."


def test_unsure_words_are_those_of_the_seeing_part() -> None:
    tokens = ["<think>", "sees", "<m0>", "red", "cube", ";", "said", "jump", "</think>"]
    probabilities = [0.9, 0.9, 0.9, 0.8, 0.2, 0.9, 0.9, 0.1, 0.9]
    assert unsure_words(tokens, probabilities) == {"cube"}
    assert unsure_words(["<think>", "said", "red"], [0.9, 0.9, 0.1]) == frozenset()


def test_what_the_user_says_is_noted_and_not_left_to_the_model(model: Model) -> None:
    enhancer = TinyEnhancer(model)
    prompt = parse("a zorple crimson orb, a kid jumping")
    dialogue = enhancer.read(prompt, {})
    (draft,) = enhancer.write(prompt, dialogue, enhancer.think(dialogue))
    assert draft.text.startswith("<think> said <w0> red ball jump </think>")  # "kid" can be two
    assert draft.unsure == frozenset()


def test_what_a_picture_shows_is_said_by_the_model(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    enhancer = TinyEnhancer(model)
    sees = enhancer.tokenizer.convert_tokens_to_ids(["sees", "<m0>", "red", "cube"])
    prefixes = []

    def scripted(*args: Any, **kwargs: Any) -> list[Written]:
        prefixes.append(list(args[1][0]))
        return [Written(tuple(sees), (0.9, 0.9, 0.9, 0.3), True)] * len(args[1])

    monkeypatch.setattr(backend, "write", scripted)
    frame = [Input("Image_1", MediaKind.IMAGE, Role.FIRST_FRAME)]
    prompt = parse("animate @Image_1", frame)
    shown = {"Image_1": (Clip(np.zeros((1, 32, 32, 3), np.uint8)),)}
    dialogue = enhancer.read(prompt, shown)
    (draft,) = enhancer.write(prompt, dialogue, enhancer.think(dialogue))
    thought = "<think> sees <m0> red cube; said </think>"
    assert prefixes[1] == [*dialogue.ids, *_ids(enhancer, thought)]
    assert prefixes[0] == prefixes[1][: len(dialogue.ids) + 1]
    assert draft.unsure == {"cube"}


def _ids(enhancer: TinyEnhancer, text: str) -> list[int]:
    return list(enhancer.tokenizer.convert_tokens_to_ids(enhancer.tokenizer.tokenize(text)))


def test_drafts_differ_and_repeat(model: Model) -> None:
    def drafts(*numbers: int) -> list[tuple[int, ...]]:
        prefixes = [[1, 20, 30]] * len(numbers)
        rule = Drafts(numbers)
        return [
            written.ids
            for written in write(model, prefixes, None, max_new_tokens=12, end_id=-1, rule=rule)
        ]

    best, one, two, again = drafts(0, 1, 2, 1)
    assert one == again
    assert len({best, one, two}) == 3
    assert drafts(2) == [two] and drafts(0) == [best]


def test_a_random_model_falls_back(model: Model) -> None:
    prompt = parse("a red ball")
    result = TinyEnhancer(model).enhance(prompt, {})
    assert result.prompt == prompt
    assert result.fallback_reason
    assert result.raw_output or TinyEnhancer(model).read(prompt, {})


def test_the_shipped_model_keeps_plain_facts_and_owns_up_to_unknown_words() -> None:
    enhancer = open_enhancer()
    result = enhancer.enhance(parse("crimson orb bouncing in the garden"), {})
    assert result.fallback_reason == ""
    assert {"red", "ball", "meadow."} <= set(result.prompt.text.split())
    assert result.structured is not None
    result = enhancer.enhance(parse("the nocturne of a lady at dusk, opus nine"), {})
    assert "does not know" in result.fallback_reason
    assert result.structured is None
    assert result.prompt.text == "the nocturne of a girl at sunset, opus nine"


def test_what_somebody_does_comes_back_in_the_users_words() -> None:
    result = open_enhancer().enhance(parse("a robot juggling pancakes on the seashore"), {})
    assert result.fallback_reason == ""
    assert "beach" in result.prompt.text
    assert result.prompt.text.endswith(", juggling pancakes.")
    video = Input("Video_1", MediaKind.VIDEO, Role.SOURCE)
    edit = parse("the robot juggles in @Video_1", [video])
    reply = open_enhancer().enhance(edit, {})
    assert reply.prompt == edit
    assert "what 'juggles' means" in reply.fallback_reason


def test_people_are_understood_in_their_own_words() -> None:
    result = open_enhancer().enhance(parse("A KITTEN scampers through the forest, drizzling"), {})
    assert result.fallback_reason == ""
    assert {"cat", "meadow,", "rain."} <= set(result.prompt.text.split())


def test_subjects_are_somebody_or_something() -> None:
    lexicon = enhancer_words.lexicon()
    check_subjects(lexicon, ["a red ball", "<m0>", "a <w0> thing", "some object"])
    with pytest.raises(StructureError, match="speak of 'a blue evening'"):
        check_subjects(lexicon, ["a red ball", "a blue evening"])


def test_a_configuration_that_fits_no_model_is_told(tmp_path: Path, model: Model) -> None:
    config = model.config.to_dict()
    del config["text_config"]
    save_component(
        tmp_path / "other", kind="enhancer", config=config, state_dict=model.state_dict(), card={}
    )
    with pytest.raises(IntegrityError, match="does not fit this release"):
        TinyEnhancer.load(tmp_path / "other")
