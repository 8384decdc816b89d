"""What the readers of foreign shapes share: gather declarations and text, then `parse`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnireel.errors import InvalidInput, PromptSyntaxError
from omnireel.mvl.grammar import is_legal_name, scan
from omnireel.mvl.parse import parse
from omnireel.mvl.prompt import Element, Input, Prompt
from omnireel.types import MediaKind, Role


class PromptCollector:
    """Declares media under legal, unique names (``Image_1``, ``Video_1``, ``Element_1``, ...)."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.elements: list[Element] = []
        self._counts = {"Image": 0, "Video": 0, "Element": 0}

    def declare(
        self, kind: MediaKind, uri: str, *, role: Role = Role.REFERENCE, name: str = ""
    ) -> str:
        """Add an image or video and return its name (``name``, or the next free default)."""
        name = name or self._next_name(kind.value.capitalize())
        self.inputs.append(Input(name, kind, role, uri))
        return name

    def declare_element(self, uris: tuple[str, ...], *, name: str, description: str) -> str:
        """Add an element and return its name; a name that MVL cannot write gets a default one."""
        name = name if is_legal_name(name) else self._next_name("Element")
        self.elements.append(Element(name, uris, description))
        return name

    def finish(self, text: str, *, field: str) -> Prompt:
        """Parse ``text``; references that it never mentions are mentioned at its end.

        People's requests often say "in the style of the picture" without a name, so an unmentioned
        reference is no mistake in these shapes.
        """
        if not text.strip():
            raise PromptSyntaxError(
                "the prompt is empty; say what to make", position=0, field=field
            )
        missing = [i.name for i in self.inputs if i.role is Role.REFERENCE]
        missing += [e.name for e in self.elements]
        mentioned = self._mentioned(text, field)
        tail = "".join(f" @{name}" for name in missing if name not in mentioned)
        return parse(text + tail, self.inputs, self.elements, field=field)

    def _mentioned(self, text: str, field: str) -> set[str]:
        return {t.value for t in scan(text, field=field) if t.is_mention}

    def _next_name(self, prefix: str) -> str:
        taken = {i.name for i in self.inputs} | {e.name for e in self.elements}
        while True:
            self._counts[prefix] += 1
            name = f"{prefix}_{self._counts[prefix]}"
            if name not in taken:
                return name


def text_of(item: Mapping[str, Any], keys: tuple[str, ...], field: str) -> str:
    """The first non-empty string under one of ``keys``; ``{"url": ...}`` objects are opened."""
    for key in keys:
        value = item.get(key)
        if isinstance(value, Mapping):
            value = value.get("url")
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise InvalidInput(f"{field}.{key} must be a string", field=f"{field}.{key}")
        return value
    wanted = " or ".join(repr(key) for key in keys)
    raise InvalidInput(f"{field} needs {wanted}", field=f"{field}.{keys[0]}")


def objects_of(value: object, field: str) -> list[Mapping[str, Any]]:
    """``value`` as a list of JSON objects (None: an empty list)."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise InvalidInput(f"{field} must be a list", field=field)
    for i, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise InvalidInput(f"{field}[{i}] must be an object", field=f"{field}[{i}]")
    return list(value)
