"""One training sample as it lies in a shard: encoded media, words, and where they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from omnireel.errors import InvalidInput
from omnireel.mvl import Element, Input, Prompt, parse
from omnireel.types import MediaKind, Role


@dataclass(frozen=True)
class Media:
    """An encoded file (mp4, png, ...) and what it decodes to."""

    data: bytes
    kind: MediaKind


@dataclass(frozen=True)
class SampleInput:
    """One condition. Of an element there are several with one name: one for each of its images.

    ``description`` is that of the element, on its first image.
    """

    name: str
    role: Role
    media: Media
    description: str = ""

    @property
    def in_element(self) -> bool:
        """Whether it is one image of the element ``name``."""
        return self.role is Role.ELEMENT


@dataclass(frozen=True)
class TrainingSample:
    """A whole sample. ``key`` names it within its set of shards."""

    key: str
    target: Media
    text: str
    """The prompt in the text form of MVL; empty: nobody has described it yet."""
    vague_text: str = ""
    """The same wish as people say it who know no better; empty: nobody wrote one."""
    captions: Mapping[str, str] = field(default_factory=dict)
    """Other wordings by level of detail ("terse", "elaborate"), each in the text form of MVL."""
    inputs: tuple[SampleInput, ...] = ()
    capability: str = "C20"
    """Row of the capability table that the sample teaches."""
    source_sha256: str = ""
    """Hash of the file that the target was made of."""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    """JSON: what was done to the source, and the verdict of every check with its measure."""

    @cached_property
    def prompt(self) -> Prompt:
        """The prompt, parsed.

        Raises:
            InvalidInput: it does not fit the inputs.

        """
        return self._parsed(self.text, "text")

    @cached_property
    def vague_prompt(self) -> Prompt:
        """The vague prompt, parsed; the prompt itself when there is none."""
        return self._parsed(self.vague_text, "vague_text") if self.vague_text else self.prompt

    def caption(self, level: str) -> Prompt:
        """The wording of ``level``, parsed."""
        return self._parsed(self.captions[level], f"captions.{level}")

    def check(self) -> None:
        """Raise :class:`InvalidInput` for what no reader could make sense of."""
        if not self.key:
            raise InvalidInput("a sample needs a key", field="key")
        if not self.target.data:
            raise InvalidInput(f"{self.key}: the target is empty", field="target")
        for given in self.inputs:
            if given.in_element and given.media.kind is not MediaKind.IMAGE:
                raise InvalidInput(
                    f"{self.key}: element @{given.name} holds a video; give images",
                    field=f"inputs.{given.name}",
                )
        if self.text or self.vague_text or self.captions:
            _ = self.prompt, self.vague_prompt, [self.caption(level) for level in self.captions]

    def digest(self) -> str:
        """SHA-256 of everything in the sample."""
        words = [self.key, self.text, self.vague_text, self.capability, self.source_sha256]
        facts = [words, sorted(self.captions.items()), self.lineage, self.target.kind.value]
        facts += [[i.name, i.role.value, i.media.kind.value, i.description] for i in self.inputs]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode())
        for media in (self.target, *(i.media for i in self.inputs)):
            digest.update(len(media.data).to_bytes(8, "big") + media.data)
        return digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        """Bytes of media."""
        return len(self.target.data) + sum(len(i.media.data) for i in self.inputs)

    def _parsed(self, text: str, where: str) -> Prompt:
        inputs = [Input(i.name, i.media.kind, i.role) for i in self.inputs if not i.in_element]
        elements: dict[str, Element] = {}
        for given in self.inputs:
            if given.in_element and given.name not in elements:
                elements[given.name] = Element(given.name, description=given.description)
        return parse(text, inputs, elements.values(), field=f"{self.key}: {where}")
