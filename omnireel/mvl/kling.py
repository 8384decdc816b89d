"""Reads Kling-like requests into an MVL prompt: the list fields and the typed ``contents``.

List fields: ``prompt`` (or ``multi_prompt``, up to six shots) with ``<<<image_1>>>``,
``<<<video_1>>>`` and ``<<<element_1>>>``, counted from 1 in ``image_list``, ``video_list`` and
``element_list``. Typed: ``contents: [{"type": "prompt" | "first_frame" | …, "id": …}]``, where the
prompt writes ``@id``.

Only what makes up the prompt is read here; size, duration and the like are the caller's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from omnireel.errors import FieldViolation, InvalidInput, PromptSyntaxError
from omnireel.mvl.collect import PromptCollector, objects_of, text_of
from omnireel.mvl.grammar import write
from omnireel.mvl.kling_contents import read_contents, read_element
from omnireel.mvl.prompt import Element, Prompt
from omnireel.types import MediaKind, Role

MAX_SHOTS = 6
_PLACEHOLDER = re.compile(r"<<<\s*(image|video|element)_(\d+)\s*>>>")
_IMAGE_ROLES = {
    "": Role.REFERENCE,
    "first_frame": Role.FIRST_FRAME,
    "end_frame": Role.LAST_FRAME,
    "last_frame": Role.LAST_FRAME,
}
_VIDEO_ROLES = {"": Role.SOURCE, "base": Role.SOURCE, "feature": Role.REFERENCE}


def read_kling(request: Mapping[str, Any], library: Mapping[str, Element] | None = None) -> Prompt:
    """The MVL prompt of a Kling-like request body.

    ``library`` resolves bare ``element_id`` entries. An element may also bring its images along
    (``element_frontal_image``, ``element_refer_list``). References that the text never names are
    mentioned at its end. Several shots become one text: ``Shot 1 (3 s): … Shot 2 (2 s): …``.

    Raises:
        InvalidInput: a wrong entry, an element that the library does not have, or anything that
            `omnireel.mvl.parse` refuses.

    """
    library = library or {}
    if request.get("contents") is not None:
        return read_contents(request["contents"], library)
    collector = PromptCollector()
    names: dict[str, list[str]] = {"image": [], "video": [], "element": []}
    for i, item in enumerate(objects_of(request.get("image_list"), "image_list")):
        here = f"image_list[{i}]"
        role = _look_up(_IMAGE_ROLES, item.get("type"), f"{here}.type")
        uri = text_of(item, ("image_url", "image", "url"), here)
        names["image"].append(collector.declare(MediaKind.IMAGE, uri, role=role))
    for i, item in enumerate(objects_of(request.get("video_list"), "video_list")):
        here = f"video_list[{i}]"
        role = _look_up(_VIDEO_ROLES, item.get("refer_type"), f"{here}.refer_type")
        uri = text_of(item, ("video_url", "video", "url"), here)
        names["video"].append(collector.declare(MediaKind.VIDEO, uri, role=role))
    for i, item in enumerate(objects_of(request.get("element_list"), "element_list")):
        element = read_element(item, library, f"element_list[{i}]")
        names["element"].append(
            collector.declare_element(
                element.uris, name=element.name, description=element.description
            )
        )
    field = "multi_prompt" if request.get("multi_prompt") else "prompt"
    return collector.finish(_to_mvl(_words(request), names, field), field=field)


def _look_up(table: Mapping[str, Role], value: object, field: str) -> Role:
    key = "" if value is None else value
    if isinstance(key, str) and key in table:
        return table[key]
    known = ", ".join(k for k in table if k)
    raise InvalidInput(f"{field} {value!r} is unknown; use one of: {known}", field=field)


def _words(request: Mapping[str, Any]) -> str:
    shots = objects_of(request.get("multi_prompt"), "multi_prompt")
    if not shots:
        prompt = request.get("prompt") or ""
        if not isinstance(prompt, str):
            raise InvalidInput("prompt must be a string", field="prompt")
        return prompt
    if len(shots) > MAX_SHOTS:
        raise InvalidInput(
            f"multi_prompt has {len(shots)} shots; give {MAX_SHOTS} at most",
            violations=(FieldViolation(f"multi_prompt[{MAX_SHOTS}]", "one shot too many"),),
        )
    lines = []
    for i, shot in enumerate(shots):
        duration = shot.get("duration")
        length = f" ({duration} s)" if duration is not None else ""
        text = text_of(shot, ("prompt",), f"multi_prompt[{i}]")
        lines.append(f"Shot {i + 1}{length}: {text}")
    return "\n".join(lines)


def _to_mvl(text: str, names: Mapping[str, list[str]], field: str) -> str:
    """Placeholders become mentions; in this shape an @ is nothing special, so it is escaped."""
    tokens: list[tuple[str, bool]] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        kind, number = match.group(1), int(match.group(2))
        if not 1 <= number <= len(names[kind]):
            raise PromptSyntaxError(
                f"{match.group()} does not exist; {kind}_list has {len(names[kind])} entries",
                position=match.start(),
                field=field,
            )
        tokens += [(text[end : match.start()], False), (names[kind][number - 1], True)]
        end = match.end()
    return write([*tokens, (text[end:], False)])
