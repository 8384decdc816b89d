"""The typed ``contents`` of Kling-like requests; `omnireel.mvl.kling` is the way in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from omnireel.errors import InvalidInput
from omnireel.mvl.collect import PromptCollector, objects_of, text_of
from omnireel.mvl.grammar import is_legal_name
from omnireel.mvl.prompt import Element, Prompt
from omnireel.types import MediaKind, Role

_MEDIA = {
    "first_frame": (MediaKind.IMAGE, Role.FIRST_FRAME),
    "last_frame": (MediaKind.IMAGE, Role.LAST_FRAME),
    "refer_image": (MediaKind.IMAGE, Role.REFERENCE),
    "feature_video": (MediaKind.VIDEO, Role.REFERENCE),
    "base_video": (MediaKind.VIDEO, Role.SOURCE),
}
_KNOWN = ("prompt", *_MEDIA, "element")


def read_contents(contents: object, library: Mapping[str, Element]) -> Prompt:
    """One ``prompt`` item plus media and elements, each with an ``id`` that the prompt may name.

    Raises:
        InvalidInput: as `omnireel.mvl.kling.read_kling`.

    """
    collector = PromptCollector()
    name_by_id: dict[str, str] = {}
    words: list[str] = []
    for i, item in enumerate(objects_of(contents, "contents")):
        here = f"contents[{i}]"
        kind_of_item = item.get("type")
        if kind_of_item == "prompt":
            words.append(text_of(item, ("text", "prompt", "content"), here))
            continue
        if kind_of_item == "element":
            element = read_element(item, library, here)
            item_id = str(item.get("id", element.name))
            wanted = item_id if is_legal_name(item_id) else element.name
            name = collector.declare_element(
                element.uris, name=wanted, description=element.description
            )
        elif isinstance(kind_of_item, str) and kind_of_item in _MEDIA:
            kind, role = _MEDIA[kind_of_item]
            uri = text_of(item, ("url", f"{kind.value}_url", kind.value), here)
            item_id = str(item.get("id", ""))
            wanted = item_id if is_legal_name(item_id) else ""
            name = collector.declare(kind, uri, role=role, name=wanted)
        else:
            raise InvalidInput(_unknown(kind_of_item, here), field=f"{here}.type")
        if item_id in name_by_id:
            raise InvalidInput(
                f"{here}.id {item_id!r} is used twice; rename one", field=f"{here}.id"
            )
        if item_id:
            name_by_id[item_id] = name
    if len(words) != 1:
        raise InvalidInput(
            f"contents has {len(words)} prompt items; give exactly one", field="contents"
        )
    return collector.finish(_with_names(words[0], name_by_id), field="contents")


def read_element(item: Mapping[str, Any], library: Mapping[str, Element], here: str) -> Element:
    """An element given whole, or by its id in the library."""
    if not any(k in item for k in ("element_frontal_image", "element_refer_list")):
        element_id = str(item.get("element_id", item.get("id", "")))
        if element_id in library:
            return library[element_id]
        raise InvalidInput(
            f"{here}: element {element_id!r} is not in the library; register it or give "
            "element_frontal_image and element_refer_list",
            field=f"{here}.element_id",
        )
    uris = [text_of(item, ("element_frontal_image",), here)]
    for i, picture in enumerate(
        objects_of(item.get("element_refer_list"), f"{here}.element_refer_list")
    ):
        uris.append(text_of(picture, ("image_url", "url"), f"{here}.element_refer_list[{i}]"))
    name = str(item.get("element_name", item.get("name", "")))
    description = str(item.get("element_description", item.get("description", "")))
    return Element(name, tuple(uris), description)


def _unknown(kind_of_item: object, here: str) -> str:
    if kind_of_item == "middle_frame":
        return f"{here}: middle_frame is not supported; use first_frame, last_frame or refer_image"
    return f"{here}.type {kind_of_item!r} is unknown; use one of: {', '.join(_KNOWN)}"


def _with_names(text: str, name_by_id: Mapping[str, str]) -> str:
    """``@id`` -> mention for the ids that exist (longest first); any other @ is left to `parse`.

    Ids may hold characters that MVL names may not (``img-1``), hence the detour.
    """
    if not name_by_id:
        return text
    ids = "|".join(re.escape(i) for i in sorted(name_by_id, key=len, reverse=True))
    escape_or_id = re.compile(rf"@@|@({ids})(?![A-Za-z0-9_])")
    return escape_or_id.sub(
        lambda m: f"@{{{name_by_id[m.group(1)]}}}" if m.group(1) else m.group(), text
    )
