"""The structured prompt: parsing what models write, and writing MVL back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnireel.enhancer import StructuredPrompt, StructureError, parse_structured, to_prompt
from omnireel.enhancer.base import from_output
from omnireel.mvl import Input, parse
from omnireel.types import MediaKind

TEXT = st.text(max_size=40).map(lambda s: " ".join(s.split()))
ANSWER = StructuredPrompt(("red ball",), "A red ball.", "", "A red ball rolls.", "rolls", "", "")
DRAFT = '{"description": "a draft"}'
IMAGE = Input("Image_1", MediaKind.IMAGE)


@given(
    st.builds(
        StructuredPrompt,
        subjects=st.lists(TEXT.filter(bool), max_size=3).map(tuple),
        summary=TEXT.filter(bool),
        kept=TEXT,
        description=TEXT.filter(bool),
        motion=TEXT,
        camera=TEXT,
        style=TEXT,
    )
)
def test_json_round_trip(structured: StructuredPrompt) -> None:
    assert parse_structured(structured.to_json()) == structured


@pytest.mark.parametrize(
    "raw",
    [
        ANSWER.to_json(),
        f"<think>a ball {{it is}} red</think>\n{ANSWER.to_json()}",
        f"<THINK>\nred\n</THINK>```json\n{ANSWER.to_json()}\n```",
        f"Here you are: {ANSWER.to_json()} Have fun!",
        f"Here {{as asked}}: {ANSWER.to_json()}",
        f"{DRAFT} would do, but better: {ANSWER.to_json()}",
        f"```json\n{DRAFT}\n```\nor rather\n```json\n{ANSWER.to_json()}\n```",
    ],
)
def test_the_last_object_behind_thinking_and_in_fences_is_the_answer(raw: str) -> None:
    assert parse_structured(raw) == ANSWER


@pytest.mark.parametrize(
    "thought",
    [
        f"I could write {DRAFT} but better.",
        "use the form {subjects, summary}.",
        'it begins with {"subjects',
        f"{DRAFT}, no: {{",
        f"<think>{DRAFT}</think> <think>once more: {DRAFT}",
        "",
    ],
)
def test_a_draft_in_thinking_that_the_template_began_is_not_the_answer(thought: str) -> None:
    assert parse_structured(f"{thought}\n</think>\n\n{ANSWER.to_json()}") == ANSWER
    with pytest.raises(StructureError, match="no JSON object"):
        parse_structured(f"{thought}\n</think>\nI cannot say.")


@pytest.mark.parametrize("text", ["she says <think>", "a sign: </think>", "a { and a }"])
def test_marks_in_a_text_are_text(text: str) -> None:
    answer = StructuredPrompt((), "", "", text)
    assert parse_structured(f"<think>hm</think>{answer.to_json()} Have fun!") == answer


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("a red ball", "no JSON object"),
        ('{"subjects": ["x"], "description": "cut o', "not valid JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"subjects": [1], "description": "x"}', "'subjects'"),
        ('{"description": ["x"]}', "'description' is not a text"),
        ('{"subjects": ["x"]}', "neither a description nor a summary"),
        ('{"description": "' + "x" * 5000 + '"}', "longer than"),
        ("", "no JSON object"),
        (f"<think>maybe {DRAFT} hmm", "still thinking"),
        (f"{DRAFT} <THINK> or", "still thinking"),
        (f'<think>a</think>{DRAFT[:-1]}, "also": {DRAFT}, "motion": "cu', "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("so: " + '{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_unusable_answers_say_why(raw: str, reason: str) -> None:
    with pytest.raises(StructureError, match=reason):
        parse_structured(raw)


def test_to_prompt_keeps_mentions_and_declarations() -> None:
    original = parse("make @Image_1 jump", [IMAGE])
    answer = StructuredPrompt(("@Image_1",), "", "", "@Image_1 jumps in a meadow; @Image_1's hat.")
    enhanced = to_prompt(answer, original)
    assert enhanced.text == answer.description
    assert enhanced.inputs == original.inputs
    assert enhanced == parse(enhanced.text, original.inputs)


def test_lost_and_invented_mentions_are_refused() -> None:
    original = parse("make @Image_1 jump", [IMAGE])
    with pytest.raises(StructureError, match="lost the mention of @Image_1"):
        to_prompt(StructuredPrompt((), "", "", "It jumps."), original)
    with pytest.raises(StructureError, match="@Image_2, which was not given"):
        to_prompt(StructuredPrompt((), "", "", "@Image_1 beside @Image_2."), original)


def test_an_answer_that_does_not_parse_falls_back_to_the_users_text() -> None:
    original = parse("make @Image_1 jump", [IMAGE])
    result = from_output("no idea", original)
    assert result.prompt == original
    assert result.structured is None
    assert result.raw_output == "no idea"
    assert "your text is used unchanged" in result.fallback_reason


def test_sections_make_a_prompt_when_the_description_is_missing() -> None:
    answer = StructuredPrompt(
        ("cat",), "a red cat", "", "", "the cat jumps", "camera pans left", ""
    )
    assert to_prompt(answer, parse("cat")).text == "A red cat. The cat jumps. Camera pans left."
