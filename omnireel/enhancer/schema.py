"""The structured prompt: what an enhancer writes, as data, as JSON and as MVL text.

The flow of one answer: raw model output -> :func:`parse_structured` (JSON, else the last object
behind the thinking) -> :func:`to_prompt` (MVL text with every mention of the original).
Whatever fails on the way ends in the user's own prompt and a reason, never in an exception.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from omnireel.mvl.prompt import MentionPart, Part, Prompt, TextPart

_MARK = re.compile(r"\{|</?think>", re.IGNORECASE)
_THINKING_END = re.compile(r"</think>", re.IGNORECASE)
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
    """Read an enhancer's raw output: JSON alone, or the last usable object behind the thinking.

    Thinking ends at ``</think>``. It begins at ``<think>``, or with the answer: some chat templates
    write ``<think>`` themselves, so that the answer holds only its end. What stands in it is never
    the answer, however much it looks like one.

    Raises:
        StructureError: it ends while still thinking, or holds no usable structured prompt.
    """
    try:
        return from_mapping(json.loads(raw.strip()))
    except json.JSONDecodeError:
        found = _behind_thinking(raw)
    except RecursionError:
        raise _too_deep() from None
    usable = [answer for answer in found if isinstance(answer, StructuredPrompt)]
    if usable:
        return usable[-1]
    faults = [fault for fault in found if isinstance(fault, StructureError)]
    raise faults[-1] if faults else StructureError("the answer contains no JSON object")


def _behind_thinking(raw: str) -> list[StructuredPrompt | StructureError]:
    """Every object behind the thinking, in order: what it says, or why it cannot be used.

    Whole objects are jumped over, since a text in one may hold any mark.
    """
    found: list[StructuredPrompt | StructureError] = []
    at = 0
    while mark := _MARK.search(raw, at):
        at = mark.end()
        if mark[0] == "{":
            answer, at = _read_object(raw, mark.start())
            found.append(answer)
        elif mark[0].startswith("</"):  # the chat template wrote where it begins
            found.clear()
        else:
            end = _THINKING_END.search(raw, at)
            if end is None:
                raise StructureError("the answer was cut while the model was still thinking")
            at = end.end()
    return found


def _read_object(raw: str, start: int) -> tuple[StructuredPrompt | StructureError, int]:
    """The object that begins at ``start``, and where to read on."""
    try:
        data, end = json.JSONDecoder().raw_decode(raw, start)
    except json.JSONDecodeError as error:
        # Behind the fault: objects within a broken one are not the answer.
        end = max(error.pos, start + 1)
        thinking_end = _THINKING_END.search(raw, start, end)
        fault = StructureError(f"the answer is not valid JSON: {error.msg}")
        return fault, thinking_end.start() if thinking_end else end
    except RecursionError:
        raise _too_deep() from None
    try:
        return from_mapping(data), end
    except StructureError as error:
        return error, end


def _too_deep() -> StructureError:
    return StructureError("the answer is nested too deeply")


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
