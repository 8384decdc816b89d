from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.errors import InvalidInput, PromptSyntaxError
from omnireel.mvl import Element, Input, MentionPart, Prompt, TextPart, parse, validate
from omnireel.types import MediaKind, Role

IMAGE = Input("Image_1", MediaKind.IMAGE)
VIDEO = Input("Video_1", MediaKind.VIDEO)
GIRL = Element("Girl", ("a.png",))


def test_the_example_sentence() -> None:
    prompt = parse("@Girl rides @Image_1's bike in the style of @Video_1", [IMAGE, VIDEO], [GIRL])
    assert prompt.parts == (
        MentionPart("Girl"),
        TextPart(" rides "),
        MentionPart("Image_1"),
        TextPart("'s bike in the style of "),
        MentionPart("Video_1"),
    )
    assert prompt.text == "@Girl rides @Image_1's bike in the style of @Video_1"
    validate(prompt)


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("write to a@b.com", "write to a@b.com"),
        ("meet @@home", "meet @home"),
        ("@@@@", "@@"),
        ("a@@b", "a@b"),
    ],
)
def test_literal_at_signs(text: str, literal: str) -> None:
    assert parse(text).parts == (TextPart(literal),)


@pytest.mark.parametrize(
    "text", ["两个@{Girl}s", "让@Girl跳舞", "x@{Girl}", "@Girl@Girl", "@Girl@@x"]
)
def test_mentions_beside_letters(text: str) -> None:
    prompt = parse(text, (), [GIRL])
    assert MentionPart("Girl") in prompt.parts
    assert prompt.text == text


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "empty"),
        (" \n", 0, "empty"),
        ("a @Gril runs", 2, "did you mean @Girl?"),
        ("@Girl and @dog", 10, "declared names: @Girl"),
        ("@Girl @ noon", 6, "'@@' for a literal @"),
        ("@Girl @5dogs", 6, "not a legal name"),
        ("@Girl @{Girl", 6, "never closed"),
        ("@Girl @{a-b}", 6, "not a legal name"),
        ("@Girl \x00", 6, "U+0000"),
        ("@Girl @" + "x" * 65, 6, "64 characters"),
    ],
)
def test_mistakes_have_positions(text: str, position: int, says: str) -> None:
    with pytest.raises(PromptSyntaxError) as caught:
        parse(text, (), [GIRL], field="request.prompt")
    assert caught.value.position == position
    assert says in caught.value.message
    assert caught.value.violations[0].field == "request.prompt"


def test_a_name_for_two_things() -> None:
    both = [Input("Girl", MediaKind.IMAGE)]
    with pytest.raises(PromptSyntaxError, match=r"inputs\[0\], elements\[0\]") as caught:
        parse("look, @Girl", both, [GIRL])
    assert caught.value.position == 6
    with pytest.raises(InvalidInput) as unmentioned:
        parse("look", [Input("Girl", MediaKind.IMAGE, Role.SOURCE)], [GIRL])
    assert unmentioned.value.violations[0].field == "elements[0].name"


NAMES = ["Girl", "Image_1", "Video_1"]
literals = st.text(
    st.one_of(st.sampled_from("@{}aZ9_ .Girl\n"), st.characters(exclude_categories=("Cc", "Cs"))),
    min_size=1,
)
parts = st.lists(
    st.one_of(literals.map(TextPart), st.sampled_from(NAMES).map(MentionPart)), max_size=8
)


def _joined(found: list[TextPart | MentionPart]) -> tuple[TextPart | MentionPart, ...]:
    joined: list[TextPart | MentionPart] = []
    for part in found:
        if joined and isinstance(part, TextPart) and isinstance(joined[-1], TextPart):
            joined[-1] = TextPart(joined[-1].text + part.text)
        else:
            joined.append(part)
    return tuple(joined)


@settings(deadline=None)
@given(parts)
def test_rendered_prompts_are_read_back(drawn: list[TextPart | MentionPart]) -> None:
    prompt = Prompt(
        (*_joined(drawn), *(MentionPart(name) for name in NAMES)), (IMAGE, VIDEO), (GIRL,)
    )
    assert parse(prompt.text, prompt.inputs, prompt.elements) == prompt
    assert Prompt(tuple(drawn)).text == Prompt(_joined(drawn)).text


@settings(deadline=None)
@given(st.text(st.sampled_from("@{}Girl_ a1é.\x07"), max_size=20))
def test_any_text_is_read_or_refused_at_a_place_inside_it(text: str) -> None:
    try:
        prompt = parse(text, [Input("Gi", MediaKind.VIDEO, Role.MOTION)])
    except PromptSyntaxError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse(prompt.text, prompt.inputs) == prompt
