"""What makes a parsed prompt right: known names, sensible roles, and the limits of a model.

Which inputs the text must mention: elements and inputs with the role ``reference``, because without
a word about them nobody knows what they are for. Every other role (source, first_frame, last_frame,
storyboard, motion, camera, annotation) says that by itself, so those may go unmentioned.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from omnireel.errors import FieldViolation, InvalidInput, PromptSyntaxError
from omnireel.mvl.grammar import NAME_RULE, is_legal_name, nearest_name
from omnireel.mvl.prompt import MentionPart, Prompt
from omnireel.types import MediaKind, Role

_ROLES_BY_KIND = {
    MediaKind.IMAGE: {
        Role.REFERENCE,
        Role.SOURCE,
        Role.FIRST_FRAME,
        Role.LAST_FRAME,
        Role.STORYBOARD,
        Role.ANNOTATION,
    },
    MediaKind.VIDEO: {Role.REFERENCE, Role.SOURCE, Role.MOTION, Role.CAMERA, Role.ANNOTATION},
}
_AT_MOST_ONE = (Role.SOURCE, Role.FIRST_FRAME, Role.LAST_FRAME, Role.MOTION, Role.CAMERA)


@dataclass(frozen=True)
class PromptLimits:
    """How much one model takes. ``max_characters`` counts the text form.

    ``max_description_characters`` is for the words about one element.
    """

    max_characters: int = 2500
    max_images: int = 7
    max_videos: int = 1
    max_elements: int = 7
    max_images_per_element: int = 4
    max_description_characters: int = 500

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < (0 if name in ("max_images", "max_videos", "max_elements") else 1):
                raise ValueError(f"PromptLimits.{name} = {value} is too small")


def validate(prompt: Prompt, limits: PromptLimits | None = None, *, field: str = "prompt") -> None:
    """Check a prompt that was put together by parts or parsed; None means that it is right.

    Raises:
        PromptSyntaxError: as `parse`, with ``position`` in ``prompt.text``; also text too long.
        InvalidInput: wrong declarations or too many inputs, one violation per field.

    """
    limits = limits or PromptLimits()
    _check_text(prompt, limits, field)
    check_mentions(prompt, _mentions_with_positions(prompt, field))
    check_declarations(prompt, tuple(_limit_violations(prompt, limits)))


def check_characters(text: str, *, field: str) -> None:
    """Refuse control characters (but tab and line ends) and lone surrogates."""
    position = _unusable_at(text)
    if position is not None:
        raise PromptSyntaxError(_unusable(text[position]), position=position, field=field)


def check_mentions(prompt: Prompt, mentions: Iterable[tuple[str, int, str]]) -> None:
    """Every ``(name, position, field)`` must be declared, and as one thing only."""
    declared = Counter(name for _, name in _declared_names(prompt))
    for name, position, field in mentions:
        if not declared[name]:
            near = nearest_name(name, declared)
            known = ", ".join(f"@{n}" for n in declared) or "none"
            hint = f"did you mean @{near}?" if near else f"declared names: {known}"
            raise PromptSyntaxError(
                f"@{name} is not declared; {hint}", position=position, field=field
            )
        if declared[name] > 1:
            places = [where for where, other in _declared_names(prompt) if other == name]
            raise PromptSyntaxError(
                f"@{name} stands for {len(places)} things ({', '.join(places)}); rename one",
                position=position,
                field=field,
            )


def check_declarations(prompt: Prompt, more: tuple[FieldViolation, ...] = ()) -> None:
    """Raise one InvalidInput with a violation per wrong declaration, ``more`` included."""
    violations = (
        *_name_violations(prompt),
        *_role_violations(prompt),
        *_unused_violations(prompt),
        *_description_violations(prompt),
        *more,
    )
    if violations:
        message = "; ".join(f"{v.field}: {v.description}" for v in violations)
        raise InvalidInput(message, violations=violations)


def _unusable_at(text: str) -> int | None:
    for position, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r":
            return position
    return None


def _unusable(character: str) -> str:
    return f"the character U+{ord(character):04X} cannot be used; remove it"


def _declared_names(prompt: Prompt) -> Iterator[tuple[str, str]]:
    for i, declared in enumerate(prompt.inputs):
        yield f"inputs[{i}]", declared.name
    for i, element in enumerate(prompt.elements):
        yield f"elements[{i}]", element.name


def _check_text(prompt: Prompt, limits: PromptLimits, field: str) -> None:
    text = prompt.text
    if not text.strip():
        raise PromptSyntaxError("the prompt is empty; say what to make", position=0, field=field)
    check_characters(text, field=field)
    if len(text) > limits.max_characters:
        raise PromptSyntaxError(
            f"the prompt has {len(text)} characters; shorten it to {limits.max_characters}",
            position=limits.max_characters,
            field=field,
        )


def _mentions_with_positions(prompt: Prompt, field: str) -> list[tuple[str, int, str]]:
    found = []
    for i, part in enumerate(prompt.parts):
        if isinstance(part, MentionPart):
            position = len(Prompt(prompt.parts[:i]).text)
            found.append((part.name, position, f"{field}.parts[{i}]"))
    return found


def _name_violations(prompt: Prompt) -> Iterator[FieldViolation]:
    first: dict[str, str] = {}
    for where, name in _declared_names(prompt):
        if not is_legal_name(name):
            yield FieldViolation(f"{where}.name", f"{name[:80]!r} is not a legal name: {NAME_RULE}")
        elif name in first:
            yield FieldViolation(
                f"{where}.name", f"@{name} is already declared by {first[name]}; rename one"
            )
        first.setdefault(name, where)


def _role_violations(prompt: Prompt) -> Iterator[FieldViolation]:
    seen: dict[Role, str] = {}
    for i, declared in enumerate(prompt.inputs):
        allowed = _ROLES_BY_KIND[declared.kind]
        if declared.role not in allowed:
            names = ", ".join(role for role in Role if role in allowed)
            yield FieldViolation(
                f"inputs[{i}].role",
                f"{declared.kind.value} @{declared.name} cannot be {declared.role.value!r}; "
                f"use one of: {names}",
            )
        if declared.role in _AT_MOST_ONE and declared.role in seen:
            yield FieldViolation(
                f"inputs[{i}].role",
                f"@{declared.name} and @{seen[declared.role]} are both {declared.role.value!r}; "
                "keep one",
            )
        seen.setdefault(declared.role, declared.name)


def _unused_violations(prompt: Prompt) -> Iterator[FieldViolation]:
    mentioned = {p.name for p in prompt.parts if isinstance(p, MentionPart)}
    remedy = "is declared but the prompt never mentions it; mention it or leave it out"
    for i, declared in enumerate(prompt.inputs):
        if declared.role is Role.REFERENCE and declared.name not in mentioned:
            yield FieldViolation(f"inputs[{i}].name", f"@{declared.name} {remedy}")
    for i, element in enumerate(prompt.elements):
        if element.name not in mentioned:
            yield FieldViolation(f"elements[{i}].name", f"@{element.name} {remedy}")


def _description_violations(prompt: Prompt) -> Iterator[FieldViolation]:
    for i, element in enumerate(prompt.elements):
        position = _unusable_at(element.description)
        if position is not None:
            yield FieldViolation(
                f"elements[{i}].description",
                f"{_unusable(element.description[position])} (at position {position})",
            )


def _limit_violations(prompt: Prompt, limits: PromptLimits) -> Iterator[FieldViolation]:
    for kind, most in ((MediaKind.IMAGE, limits.max_images), (MediaKind.VIDEO, limits.max_videos)):
        of_kind = [i for i, declared in enumerate(prompt.inputs) if declared.kind is kind]
        if len(of_kind) > most:
            yield FieldViolation(
                f"inputs[{of_kind[most]}]",
                f"{len(of_kind)} {kind.value}s are too many; give {most} at most",
            )
    if len(prompt.elements) > limits.max_elements:
        yield FieldViolation(
            f"elements[{limits.max_elements}]",
            f"{len(prompt.elements)} elements are too many; give {limits.max_elements} at most",
        )
    for i, element in enumerate(prompt.elements):
        if len(element.uris) > limits.max_images_per_element:
            yield FieldViolation(
                f"elements[{i}].uris",
                f"@{element.name} has {len(element.uris)} images; "
                f"give {limits.max_images_per_element} at most",
            )
        if len(element.description) > limits.max_description_characters:
            yield FieldViolation(
                f"elements[{i}].description",
                f"the description of @{element.name} has {len(element.description)} characters; "
                f"shorten it to {limits.max_description_characters}",
            )
