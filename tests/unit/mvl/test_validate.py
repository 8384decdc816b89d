from __future__ import annotations

import pytest

from omnireel.errors import InvalidInput, PromptSyntaxError
from omnireel.mvl import (
    Element,
    Input,
    MentionPart,
    Prompt,
    PromptLimits,
    TextPart,
    parse,
    validate,
)
from omnireel.types import MediaKind, Role


def fields(error: InvalidInput) -> list[str]:
    return [v.field for v in error.violations]


def prompt_of(*inputs: Input, elements: tuple[Element, ...] = ()) -> Prompt:
    names = [i.name for i in inputs] + [e.name for e in elements]
    return Prompt((TextPart("see "), *map(MentionPart, names)), inputs, elements)


def test_references_and_elements_must_be_mentioned() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse("a ball", [Input("Look", MediaKind.IMAGE)], [Element("Girl")])
    assert fields(caught.value) == ["inputs[0].name", "elements[0].name"]


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (MediaKind.IMAGE, Role.FIRST_FRAME),
        (MediaKind.IMAGE, Role.LAST_FRAME),
        (MediaKind.IMAGE, Role.STORYBOARD),
        (MediaKind.IMAGE, Role.ANNOTATION),
        (MediaKind.VIDEO, Role.SOURCE),
        (MediaKind.VIDEO, Role.MOTION),
        (MediaKind.VIDEO, Role.CAMERA),
    ],
)
def test_other_roles_speak_for_themselves(kind: MediaKind, role: Role) -> None:
    validate(parse("make it green", [Input("Clip", kind, role)]))


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (MediaKind.VIDEO, Role.FIRST_FRAME),
        (MediaKind.IMAGE, Role.MOTION),
        (MediaKind.IMAGE, Role.TARGET),
        (MediaKind.VIDEO, Role.ELEMENT),
    ],
)
def test_roles_that_a_kind_cannot_have(kind: MediaKind, role: Role) -> None:
    with pytest.raises(InvalidInput, match="use one of: reference, source") as caught:
        validate(prompt_of(Input("Clip", kind, role)))
    assert fields(caught.value) == ["inputs[0].role"]


def test_only_one_first_frame() -> None:
    two = [Input(f"F{i}", MediaKind.IMAGE, Role.FIRST_FRAME) for i in range(2)]
    with pytest.raises(InvalidInput, match="@F1 and @F0"):
        validate(prompt_of(*two))


def test_each_limit_names_the_first_thing_too_many() -> None:
    images = [Input(f"I{i}", MediaKind.IMAGE) for i in range(3)]
    videos = [Input(f"V{i}", MediaKind.VIDEO) for i in range(2)]
    elements = (Element("A", ("1", "2", "3")), Element("B"))
    prompt = prompt_of(*images, *videos, elements=elements)
    with pytest.raises(InvalidInput) as caught:
        validate(prompt, PromptLimits(100, 2, 1, 1, 2))
    assert fields(caught.value) == ["inputs[2]", "inputs[4]", "elements[1]", "elements[0].uris"]
    validate(prompt, PromptLimits(100, 3, 2, 2, 3))


def test_length_counts_the_text_form_and_points_at_the_limit() -> None:
    validate(parse("abcd"), PromptLimits(max_characters=4))
    with pytest.raises(PromptSyntaxError, match="5 characters; shorten it to 4") as caught:
        validate(parse("abcde"), PromptLimits(max_characters=4))
    assert caught.value.position == 4


def test_descriptions_are_checked_as_the_text_is() -> None:
    good = Element("A", description="a girl\n\tin a red dress")
    validate(prompt_of(elements=(good,)), PromptLimits(max_description_characters=22))
    with pytest.raises(InvalidInput, match="22 characters; shorten it to 21") as caught:
        validate(prompt_of(elements=(good,)), PromptLimits(max_description_characters=21))
    assert fields(caught.value) == ["elements[0].description"]
    for bad, says in (("x\0", "U[+]0000"), ("\x1b[2J", "U[+]001B"), ("\ud800", "U[+]D800")):
        with pytest.raises(InvalidInput, match=says) as caught:
            parse("@A @B", elements=[good, Element("B", description=bad)])
        assert fields(caught.value) == ["elements[1].description"]


def test_prompts_put_together_by_parts_get_the_part_and_the_position() -> None:
    parts = (TextPart("a "), MentionPart("Girl"), TextPart("s "), MentionPart("Boy"))
    prompt = Prompt(parts, elements=(Element("Girl"),))
    with pytest.raises(PromptSyntaxError) as caught:
        validate(prompt)
    assert prompt.text[caught.value.position :] == "@Boy"
    assert fields(caught.value) == ["prompt.parts[3]"]


def test_illegal_declared_names() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse("hi", [Input("my clip", MediaKind.VIDEO, Role.SOURCE)], [Element("")])
    assert fields(caught.value)[:2] == ["inputs[0].name", "elements[0].name"]


def test_limits_are_checked_themselves() -> None:
    with pytest.raises(ValueError, match="max_images_per_element"):
        PromptLimits(max_images_per_element=0)
