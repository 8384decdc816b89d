"""What a new clip shall not show is not named, neither by the prompt nor by a draft."""

from __future__ import annotations

import pytest

from omnireel.enhancer.schema import StructureError
from omnireel.enhancer.tiny.checks import Case, check_draft, check_known
from omnireel.enhancer.tiny.dialogue import Dialogue, read_prompt
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.untaught import untaught
from omnireel.enhancer.tiny.unwanted import tell_apart
from omnireel.enhancer.tiny.vocabulary import build_tokenizer
from omnireel.mvl import Element, Input, parse
from omnireel.mvl.prompt import Prompt
from omnireel.recipes import enhancer_words
from omnireel.types import MediaKind, Role
from omnireel.world.tasks import draw_plan

LEXICON = enhancer_words.lexicon()


def read(model: Model, prompt: Prompt) -> Dialogue:
    """What the enhancer reads of a prompt whose media are not looked at."""
    return read_prompt(prompt, {}, build_tokenizer(model.config.words), model.config.image_side)


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("a red ball jumps on a meadow, no clouds", "a red ball jumps on a meadow", "clouds"),
        ("a dog, no hat, spins in the snow", "a dog, spins in the snow", "hat"),
        ("A robot without a hat waves.", "A robot waves.", "a hat"),
        ("a ball without trees jumps", "a ball jumps", "trees"),
        ("no rain please, a cat sits", "a cat sits", "rain"),
        ("a room with no cats or dogs and no people", "a room", "cats or dogs, people"),
        ("a cat that is not red walks", "a cat walks", "red"),
        ("I don't want a dog, I want a cat", "I want a cat", "a dog"),
        ("a robot on the beach instead of a meadow", "a robot on the beach", "a meadow"),
        ("a cat runs, but not fast", "a cat runs", "fast"),
        ("no ball", "", "ball"),
        ("a ball, not moving", "a ball, not moving", ""),
        ("a cube, no camera movement", "a cube, no camera movement", ""),
        ("the color of a night without stars", "the color of a night without stars", ""),
        ("a knot of snow, a northern town", "a knot of snow, a northern town", ""),
    ],
)
def test_what_is_not_wanted_is_told_apart(text: str, wanted: str, unwanted: str) -> None:
    assert tell_apart(text) == (wanted, unwanted)


def test_texts_of_the_world_want_all_that_they_name() -> None:
    for seed in range(300):
        plan = draw_plan("C20", seed, 2.0, "train")
        for text in (plan.text, plan.vague_text):
            assert tell_apart(text) == (text, "")


def test_a_draft_must_not_name_it(model: Model) -> None:
    prompt = parse("a red ball jumps in the street, no rain and no hats")
    dialogue = read(model, prompt)
    assert dialogue.text == "a red ball jumps in the street"
    check_draft(Case(LEXICON, prompt, dialogue, "a red ball is jumping in a city"))
    with pytest.raises(StructureError, match="would show 'rain'"):
        rainy = "a red ball is jumping in a city, in falling rain"
        check_draft(Case(LEXICON, prompt, dialogue, rainy))


def test_what_is_wanted_as_well_may_be_named(model: Model) -> None:
    prompt = parse("a red ball jumps in a meadow, no trees")
    dialogue = read(model, prompt)
    assert dialogue.unwanted == "meadow"
    check_draft(Case(LEXICON, prompt, dialogue, "a red ball is jumping in a meadow"))


def test_beside_media_it_is_left_to_the_user(model: Model) -> None:
    tasks = model.config.tasks
    hero = parse("@Hero dances in a room, no hat", [], [Element("Hero")])
    dialogue = read(model, hero)
    assert dialogue.unwanted == "" and "no hat" in dialogue.text
    assert "shall not be there" in untaught(LEXICON, hero, dialogue.text, tasks)
    asked = parse("@Hero dances in a room", [], [Element("Hero")])
    assert untaught(LEXICON, asked, read(model, asked).text, tasks) == ""
    clip = Input("Clip", MediaKind.VIDEO, Role.SOURCE)
    edit = parse("@Clip without the hat", [clip])
    assert "shall not be there" not in untaught(LEXICON, edit, read(model, edit).text, tasks)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("红球", "reads English, not '红球'"),
        ("красный мяч on the beach", "reads English, not 'красный'"),
        ("pelota", "does not know 'pelota'"),
        ("🐶🐶", "finds no words"),
        ("???", "finds no words"),
    ],
)
def test_what_it_cannot_read_it_makes_nothing_up_for(model: Model, text: str, reason: str) -> None:
    with pytest.raises(StructureError, match=reason):
        check_known(LEXICON, read(model, parse(text)))


def test_accents_are_no_other_script(model: Model) -> None:
    assert read(model, parse("a red café in the city")).copies == ("café",)
