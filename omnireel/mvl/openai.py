"""Reads OpenAI-like content lists into an MVL prompt.

::

    [{"type": "text", "text": "Make this painting move"},
     {"type": "image_url", "image_url": {"url": "https://…/a.png"}},
     {"type": "video_url", "video_url": {"url": "…"}, "role": "source", "name": "Clip"}]

``input_text``, ``input_image`` and ``input_video`` (the newer spelling) are read alike. A picture
is mentioned where it stands in the list, unless a text names it (``@Image_1``). ``name`` and
``role`` are optional additions of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnireel.errors import InvalidInput
from omnireel.mvl.collect import PromptCollector, objects_of, text_of
from omnireel.mvl.grammar import scan
from omnireel.mvl.prompt import Prompt
from omnireel.mvl.validate import check_mentions
from omnireel.types import MediaKind, Role

_TEXT_TYPES = ("text", "input_text")
_URL_KEYS = {
    "image_url": (MediaKind.IMAGE, ("image_url", "url")),
    "input_image": (MediaKind.IMAGE, ("image_url", "url")),
    "video_url": (MediaKind.VIDEO, ("video_url", "url")),
    "input_video": (MediaKind.VIDEO, ("video_url", "url")),
}


def read_openai(content: str | Sequence[Any], *, field: str = "content") -> Prompt:
    """The MVL prompt of one message's ``content`` (a string or a list of typed items).

    Raises:
        InvalidInput: an item of an unknown type or without its payload, or anything that
            `omnireel.mvl.parse` refuses; the field names the item, as ``content[1].image_url``.

    """
    if isinstance(content, str):
        return PromptCollector().finish(content, field=field)
    items = objects_of(content, field)
    collector = PromptCollector()
    texts: dict[int, str] = {}
    references: dict[int, str] = {}
    for i, item in enumerate(items):
        here = f"{field}[{i}]"
        kind_of_item = item.get("type")
        if kind_of_item in _TEXT_TYPES:
            texts[i] = text_of(item, ("text",), here)
        elif isinstance(kind_of_item, str) and kind_of_item in _URL_KEYS:
            kind, keys = _URL_KEYS[kind_of_item]
            role = _role_of(item.get("role"), here)
            name = collector.declare(
                kind, text_of(item, keys, here), role=role, name=_name_of(item.get("name"), here)
            )
            if role is Role.REFERENCE:
                references[i] = name
        else:
            known = ", ".join((*_TEXT_TYPES, *_URL_KEYS))
            raise InvalidInput(
                f"{here}.type {kind_of_item!r} is unknown; use one of: {known}",
                field=f"{here}.type",
            )
    named = _check_mentions_item_by_item(texts, collector, field)
    words = [
        texts.get(i) or f"@{references[i]}"
        for i in range(len(items))
        if i in texts or (i in references and references[i] not in named)
    ]
    if not texts:
        raise InvalidInput(f"{field} has no text item; say what to make", field=field)
    return collector.finish(_join(words), field=field)


def _check_mentions_item_by_item(
    texts: Mapping[int, str], collector: PromptCollector, field: str
) -> set[str]:
    """The names mentioned; a mistake's position counts within its item, not the joined text."""
    mentions = [
        (token.value, token.position, f"{field}[{i}].text")
        for i, text in texts.items()
        for token in scan(text, field=f"{field}[{i}].text")
        if token.is_mention
    ]
    check_mentions(Prompt((), tuple(collector.inputs)), mentions)
    return {name for name, _, _ in mentions}


def _join(words: list[str]) -> str:
    """Join with one space where neither side brings white space."""
    text = ""
    for word in words:
        gap = " " if text and not text[-1].isspace() and not word[0].isspace() else ""
        text += gap + word
    return text


def _role_of(value: object, here: str) -> Role:
    if value is None:
        return Role.REFERENCE
    if not isinstance(value, str) or value not in set(Role):
        known = ", ".join(Role)
        raise InvalidInput(
            f"{here}.role {value!r} is unknown; use one of: {known}", field=f"{here}.role"
        )
    return Role(value)


def _name_of(value: object, here: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(f"{here}.name must be a string", field=f"{here}.name")
    return value
