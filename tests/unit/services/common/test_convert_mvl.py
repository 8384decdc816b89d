from __future__ import annotations

import pytest

from omnireel import mvl
from omnireel.api.v1 import mvl_pb2
from omnireel.errors import InvalidInput, PromptSyntaxError
from omnireel.types import MediaKind, Role
from services.common.convert_mvl import prompt_from_proto, prompt_to_proto

PROMPT = mvl.Prompt(
    parts=(
        mvl.MentionPart("Girl"),
        mvl.TextPart(" rides "),
        mvl.MentionPart("Bike"),
        mvl.TextPart(" at me@home"),
    ),
    inputs=(
        mvl.Input("Bike", MediaKind.IMAGE, Role.REFERENCE, "file:///s/a"),
        mvl.Input("Street", MediaKind.VIDEO, Role.SOURCE, "file:///s/b"),
    ),
    elements=(mvl.Element("Girl", ("file:///s/c", "file:///s/d"), "a girl"),),
)


def test_parts_make_the_round_trip():
    assert prompt_from_proto(prompt_to_proto(PROMPT)) == PROMPT


def test_text_means_the_same_as_parts():
    message = prompt_to_proto(PROMPT)
    message.ClearField("parts")
    message.text = PROMPT.text
    assert prompt_from_proto(message) == PROMPT


def test_every_role_that_a_caller_may_give_is_on_the_wire():
    inner = {Role.TEXT, Role.ELEMENT, Role.LOW_RESOLUTION, Role.TARGET}
    for role in set(Role) - inner:
        kind = MediaKind.VIDEO if role in (Role.MOTION, Role.CAMERA) else MediaKind.IMAGE
        prompt = mvl.Prompt(
            (mvl.TextPart("x "), mvl.MentionPart("A")), (mvl.Input("A", kind, role),)
        )
        assert prompt_from_proto(prompt_to_proto(prompt)) == prompt


def test_an_unset_role_is_a_reference():
    message = mvl_pb2.Prompt(
        text="@A", inputs=[mvl_pb2.Input(name="A", kind=mvl_pb2.MEDIA_KIND_IMAGE)]
    )
    assert prompt_from_proto(message).inputs[0].role is Role.REFERENCE


@pytest.mark.parametrize("message", [mvl_pb2.Prompt(), None])
def test_exactly_one_form(message):
    if message is None:
        message = mvl_pb2.Prompt(text="a", parts=[mvl_pb2.Part(text="a")])
    with pytest.raises(InvalidInput, match="set exactly one") as caught:
        prompt_from_proto(message)
    assert caught.value.violations[0].field == "prompt"


def test_a_mistake_in_the_text_has_its_position():
    with pytest.raises(PromptSyntaxError) as caught:
        prompt_from_proto(mvl_pb2.Prompt(text="see @Nobody"))
    assert caught.value.position == 4
    assert caught.value.violations[0].field == "prompt.text"


def test_all_wrong_inputs_are_named():
    message = mvl_pb2.Prompt(
        text="@A", inputs=[mvl_pb2.Input(name="A"), mvl_pb2.Input(name="B", kind=1, role=99)]
    )
    with pytest.raises(InvalidInput) as caught:
        prompt_from_proto(message)
    fields = [v.field for v in caught.value.violations]
    assert fields == ["prompt.inputs[0].kind", "prompt.inputs[1].role"]


def test_an_empty_part_is_named():
    message = mvl_pb2.Prompt(parts=[mvl_pb2.Part(text="a"), mvl_pb2.Part()])
    with pytest.raises(InvalidInput) as caught:
        prompt_from_proto(message)
    assert caught.value.violations[0].field == "prompt.parts[1]"


def test_limits_are_those_of_the_model():
    with pytest.raises(InvalidInput, match="shorten it to 3"):
        prompt_from_proto(mvl_pb2.Prompt(text="four"), mvl.PromptLimits(max_characters=3))
