"""``omnireel.api.v1.Prompt`` <-> :class:`omnireel.mvl.Prompt`."""

from __future__ import annotations

from omnireel import mvl
from omnireel.api.v1 import mvl_pb2
from omnireel.errors import FieldViolation, InvalidInput
from omnireel.types import MediaKind, Role

_KINDS = {
    mvl_pb2.MEDIA_KIND_IMAGE: MediaKind.IMAGE,
    mvl_pb2.MEDIA_KIND_VIDEO: MediaKind.VIDEO,
}
_ROLES = {
    mvl_pb2.ROLE_UNSPECIFIED: Role.REFERENCE,
    mvl_pb2.ROLE_REFERENCE: Role.REFERENCE,
    mvl_pb2.ROLE_SOURCE: Role.SOURCE,
    mvl_pb2.ROLE_FIRST_FRAME: Role.FIRST_FRAME,
    mvl_pb2.ROLE_LAST_FRAME: Role.LAST_FRAME,
    mvl_pb2.ROLE_STORYBOARD: Role.STORYBOARD,
    mvl_pb2.ROLE_MOTION: Role.MOTION,
    mvl_pb2.ROLE_CAMERA: Role.CAMERA,
    mvl_pb2.ROLE_ANNOTATION: Role.ANNOTATION,
}
_KINDS_TO_PROTO = {kind: number for number, kind in _KINDS.items()}
_ROLES_TO_PROTO = {role: number for number, role in _ROLES.items()}


def kind_to_proto(kind: MediaKind) -> mvl_pb2.MediaKind.ValueType:
    """The enum value of ``kind``."""
    return _KINDS_TO_PROTO[kind]


def prompt_from_proto(
    message: mvl_pb2.Prompt, limits: mvl.PromptLimits | None = None, *, field: str = "prompt"
) -> mvl.Prompt:
    """Read and check a prompt in either form; every input keeps its URI.

    Raises:
        PromptSyntaxError: a mistake in the text, with its position.
        InvalidInput: anything else wrong, with the dotted path of each field.
    """
    if bool(message.text) == bool(message.parts):
        problem = "both text and parts are" if message.text else "neither text nor parts is"
        raise InvalidInput(f"{problem} set; set exactly one", field=field)
    inputs = _inputs_from_proto(message, field)
    elements = tuple(
        mvl.Element(e.name, uris=tuple(e.uris), description=e.description) for e in message.elements
    )
    if message.text:
        prompt = mvl.parse(message.text, inputs, elements, field=f"{field}.text")
    else:
        prompt = mvl.Prompt(_parts_from_proto(message, field), inputs, elements)
    mvl.validate(prompt, limits, field=field)
    return prompt


def prompt_to_proto(prompt: mvl.Prompt) -> mvl_pb2.Prompt:
    """The parsed form on the wire."""
    return mvl_pb2.Prompt(
        parts=[
            mvl_pb2.Part(text=part.text)
            if isinstance(part, mvl.TextPart)
            else mvl_pb2.Part(mention=part.name)
            for part in prompt.parts
        ],
        inputs=[
            mvl_pb2.Input(
                name=i.name, kind=_KINDS_TO_PROTO[i.kind], role=_ROLES_TO_PROTO[i.role], uri=i.uri
            )
            for i in prompt.inputs
        ],
        elements=[
            mvl_pb2.Element(name=e.name, uris=e.uris, description=e.description)
            for e in prompt.elements
        ],
    )


def _inputs_from_proto(message: mvl_pb2.Prompt, field: str) -> tuple[mvl.Input, ...]:
    inputs: list[mvl.Input] = []
    wrong: list[FieldViolation] = []
    for index, declared in enumerate(message.inputs):
        where = f"{field}.inputs[{index}]"
        kind, role = _KINDS.get(declared.kind), _ROLES.get(declared.role)
        if kind is None:
            wrong.append(FieldViolation(f"{where}.kind", "say IMAGE or VIDEO"))
        if role is None:
            wrong.append(FieldViolation(f"{where}.role", f"{declared.role} is not a known role"))
        if kind is not None and role is not None:
            inputs.append(mvl.Input(declared.name, kind, role, declared.uri))
    if wrong:
        text = "; ".join(f"{v.field}: {v.description}" for v in wrong)
        raise InvalidInput(text, violations=tuple(wrong))
    return tuple(inputs)


def _parts_from_proto(message: mvl_pb2.Prompt, field: str) -> tuple[mvl.Part, ...]:
    parts: list[mvl.Part] = []
    for index, part in enumerate(message.parts):
        which = part.WhichOneof("part")
        if which == "mention":
            parts.append(mvl.MentionPart(part.mention))
        elif which == "text" and part.text:
            parts.append(mvl.TextPart(part.text))
        else:
            raise InvalidInput("the part is empty; leave it out", field=f"{field}.parts[{index}]")
    return tuple(parts)
