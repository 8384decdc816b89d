"""The structured prompt: what an enhancer writes, as data, as JSON and as MVL text.

The flow of one answer: raw model output -> :func:`parse_structured` (JSON, else JSON after thinking
and code fences are stripped) -> :func:`to_prompt` (MVL text with every mention of the original).
Whatever fails on the way ends in the user's own prompt and a reason, never in an exception.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from omnireel.mvl.prompt import MentionPart, Part, Prompt, TextPart

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_MENTION = re.compile(r"@([A-Za-z][A-Za-z0-9_]*)")
MAX_FIELD_CHARS = 4000
"""Longest text of one field; more is a runaway generation."""


class StructureError(ValueError):
    """The answer of an enhancer cannot be used; the message says why, in words for the user."""


@dataclass(frozen=True)
class StructuredPrompt:
    """One enhanced prompt in sections. Texts may mention inputs as ``@name``; empty = not said."""

    subjects: tuple[str, ...]
    """Who or what is seen, most important first: ``("red ball", "@Hero")``."""
    summary: str
    """One short sentence."""
    kept: str
    """What of the given media must stay as it is (edits and references)."""
    description: str
    """The whole prompt, self-contained, in the words that the generator was trained on."""
    motion: str = ""
    camera: str = ""
    style: str = ""
    """Look, place, weather and light."""

    def to_json(self) -> str:
        """Compact JSON with the keys in the order of the fields."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def from_mapping(data: Any) -> StructuredPrompt:
    """Check decoded JSON. Unknown keys are ignored; missing texts are empty.

    Raises:
        StructureError: not an object, a field of a wrong type, or nothing that describes.
    """
    if not isinstance(data, dict):
        raise StructureError("the answer is not a JSON object")
    subjects = data.get("subjects", [])
    if isinstance(subjects, str):
        subjects = [subjects]
    if not isinstance(subjects, list) or not all(isinstance(s, str) for s in subjects):
        raise StructureError("'subjects' is not a list of texts")
    texts: dict[str, str] = {}
    for key in (f.name for f in fields(StructuredPrompt) if f.name != "subjects"):
        value = data.get(key) or ""
        if not isinstance(value, str):
            raise StructureError(f"'{key}' is not a text")
        if len(value) > MAX_FIELD_CHARS:
            raise StructureError(f"'{key}' is longer than {MAX_FIELD_CHARS} characters")
        texts[key] = " ".join(value.split())
    if not (texts["description"] or texts["summary"]):
        raise StructureError("the answer has neither a description nor a summary")
    return StructuredPrompt(subjects=tuple(s.strip() for s in subjects if s.strip()), **texts)


def parse_structured(raw: str) -> StructuredPrompt:
    """Read an enhancer's raw output.

    Tried in turn: the text itself as JSON; the text without ``<think>...</think>``; the inside of a
    code fence; the first balanced ``{...}`` object.

    Raises:
        StructureError: none of them is a usable structured prompt.
    """
    visible = _THINKING.sub("", raw).strip()
    candidates = [raw.strip(), visible]
    candidates += [m.group(1).strip() for m in _FENCE.finditer(visible)]
    decoder = json.JSONDecoder()
    for candidate in candidates:
        try:
            return from_mapping(json.loads(candidate))
        except json.JSONDecodeError:
            continue
    if (start := visible.find("{")) >= 0:
        try:
            return from_mapping(decoder.raw_decode(visible, start)[0])
        except json.JSONDecodeError as error:
            raise StructureError(f"the answer is not valid JSON: {error.msg}") from None
    raise StructureError("the answer contains no JSON object")


def mentions(prompt: Prompt) -> set[str]:
    """Names that the prompt mentions."""
    return {part.name for part in prompt.parts if isinstance(part, MentionPart)}


def split_mentions(text: str, names: set[str]) -> tuple[Part, ...]:
    """Cut ``text`` into parts at the ``@name`` of ``names``.

    Raises:
        StructureError: a mention of a name that is not in ``names``.
    """
    parts: list[Part] = []
    end = 0
    for match in _MENTION.finditer(text):
        if match.group(1) not in names:
            raise StructureError(f"the answer mentions @{match.group(1)}, which was not given")
        if match.start() > end:
            parts.append(TextPart(text[end : match.start()]))
        parts.append(MentionPart(match.group(1)))
        end = match.end()
    if end < len(text):
        parts.append(TextPart(text[end:]))
    return tuple(parts)


def to_prompt(structured: StructuredPrompt, original: Prompt) -> Prompt:
    """Write the structured prompt back as MVL, with the inputs and elements of ``original``.

    The description is the prompt: enhancers are taught to write it self-contained and in the
    caption style of the generator. Without one, the prompt is put together from the sections.

    Raises:
        StructureError: a mention of the original is lost, or one appears that was not given.
    """
    text = structured.description or _from_sections(structured)
    names = {i.name for i in original.inputs} | {e.name for e in original.elements}
    parts = split_mentions(text, names | mentions(original))
    result = Prompt(parts=parts, inputs=original.inputs, elements=original.elements)
    if lost := mentions(original) - mentions(result):
        listed = ", ".join(f"@{name}" for name in sorted(lost))
        raise StructureError(f"the answer lost the mention of {listed}")
    return result


def _from_sections(structured: StructuredPrompt) -> str:
    sections = (
        structured.summary,
        structured.motion,
        structured.camera,
        structured.style,
        structured.kept,
    )
    sentences = (s.rstrip(".") for s in sections if s)
    return " ".join(f"{s[0].upper()}{s[1:]}." for s in sentences if s)
