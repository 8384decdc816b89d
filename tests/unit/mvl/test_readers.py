from __future__ import annotations

from typing import Any

import pytest

from omnireel.errors import InvalidInput, PromptSyntaxError
from omnireel.mvl import Element, validate
from omnireel.mvl.kling import read_kling
from omnireel.mvl.openai import read_openai
from omnireel.types import MediaKind, Role

A, B = "https://example.org/a.png", "https://example.org/b.mp4"


def test_openai_mentions_media_where_they_stand() -> None:
    prompt = read_openai(
        [
            {"type": "text", "text": "Put"},
            {"type": "image_url", "image_url": {"url": A}},
            {"type": "input_text", "text": "into the scene"},
            {"type": "video_url", "video_url": {"url": B}, "role": "source", "name": "Clip"},
        ]
    )
    validate(prompt)
    assert prompt.text == "Put @Image_1 into the scene"
    assert [(i.name, i.kind, i.role, i.uri) for i in prompt.inputs] == [
        ("Image_1", MediaKind.IMAGE, Role.REFERENCE, A),
        ("Clip", MediaKind.VIDEO, Role.SOURCE, B),
    ]


def test_openai_leaves_named_media_where_the_text_names_them() -> None:
    items: list[dict[str, Any]] = [
        {"type": "input_image", "image_url": A},
        {"type": "text", "text": "@Image_1 dances"},
    ]
    assert read_openai(items).text == "@Image_1 dances"
    assert read_openai("a red ball").text == "a red ball"


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([{"type": "sound", "url": A}], "content[0].type"),
        ([{"type": "text"}], "content[0].text"),
        ([{"type": "image_url", "image_url": 3}], "content[0].image_url"),
        ([{"type": "image_url", "image_url": A, "role": "hero"}], "content[0].role"),
        ([{"type": "image_url", "image_url": A}], "content"),
        ([{"type": ["text"]}], "content[0].type"),
        (["text"], "content[0]"),
        (3, "content"),
        ([{"type": "text", "text": "@Dog runs"}], "content[0].text"),
    ],
)
def test_openai_mistakes_name_the_item(items: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_openai(items)
    assert caught.value.violations[0].field.startswith(field)


def test_kling_lists() -> None:
    prompt = read_kling(
        {
            "prompt": "<<<element_1>>> says hi @ noon in the style of <<<image_1>>>",
            "image_list": [{"image_url": A}, {"image_url": A, "type": "first_frame"}],
            "video_list": [{"video_url": B, "refer_type": "base"}],
            "element_list": [{"element_id": 7}],
        },
        {"7": Element("Girl", (A,), "a girl")},
    )
    validate(prompt)
    assert prompt.text == "@Girl says hi @@ noon in the style of @Image_1"
    assert [(i.name, i.role) for i in prompt.inputs] == [
        ("Image_1", Role.REFERENCE),
        ("Image_2", Role.FIRST_FRAME),
        ("Video_1", Role.SOURCE),
    ]


def test_kling_unnamed_references_and_shots() -> None:
    prompt = read_kling(
        {
            "multi_prompt": [{"prompt": "a cat", "duration": 3}, {"prompt": "it jumps"}],
            "element_list": [
                {
                    "element_name": "小猫",
                    "element_frontal_image": A,
                    "element_refer_list": [{"image_url": B}],
                }
            ],
        }
    )
    assert prompt.text == "Shot 1 (3 s): a cat\nShot 2: it jumps @Element_1"
    assert prompt.elements == (Element("Element_1", (A, B)),)


@pytest.mark.parametrize(
    ("request_body", "says"),
    [
        ({"prompt": "x", "video_list": [{"video_url": B, "refer_type": "b"}]}, "base, feature"),
        ({"prompt": "x", "element_list": [{"element_id": 9}]}, "not in the library"),
        ({"prompt": "x", "image_list": [{}]}, "needs 'image_url'"),
        ({"prompt": ""}, "empty"),
        ({"multi_prompt": [{"prompt": "x"}] * 7}, "6 at most"),
        ({"contents": [{"type": "middle_frame", "url": A}]}, "not supported"),
        ({"contents": [{"type": "refer_image", "url": A}]}, "exactly one"),
    ],
)
def test_kling_mistakes(request_body: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_kling(request_body)


def test_kling_placeholder_out_of_range_has_a_position() -> None:
    with pytest.raises(PromptSyntaxError, match="image_list has 0") as caught:
        read_kling({"prompt": "see <<<image_1>>>"})
    assert caught.value.position == 4


def test_kling_typed_contents() -> None:
    prompt = read_kling(
        {
            "contents": [
                {"type": "prompt", "text": "@img-1 flies like @clip, @@img-1"},
                {"type": "refer_image", "id": "img-1", "url": A},
                {"type": "feature_video", "id": "clip", "url": B},
                {"type": "last_frame", "image_url": {"url": A}},
                {"type": "element", "id": "hero", "element_id": "7"},
            ]
        },
        {"7": Element("Girl", (A,))},
    )
    validate(prompt)
    assert prompt.text == "@Image_1 flies like @clip, @@img-1 @hero"
    assert [i.role for i in prompt.inputs] == [Role.REFERENCE, Role.REFERENCE, Role.LAST_FRAME]
