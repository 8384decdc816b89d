"""The parsed form of MVL, the multimodal visual language: text with images, videos and elements
woven in by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from omnireel.mvl import grammar
from omnireel.types import MediaKind, Role


@dataclass(frozen=True)
class TextPart:
    """Literal words."""

    text: str


@dataclass(frozen=True)
class MentionPart:
    """A reference to a declared input or element by name (written ``@name``)."""

    name: str


Part = TextPart | MentionPart


@dataclass(frozen=True)
class Input:
    """A declared image or video. ``uri`` says where its bytes are (empty: given in memory)."""

    name: str
    kind: MediaKind
    role: Role = Role.REFERENCE
    uri: str = ""


@dataclass(frozen=True)
class Element:
    """Several images of one subject. ``uris`` may be empty when the images are in memory."""

    name: str
    uris: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Prompt:
    """One MVL prompt: ordered parts plus the inputs and elements that they may name."""

    parts: tuple[Part, ...]
    inputs: tuple[Input, ...] = ()
    elements: tuple[Element, ...] = ()

    @property
    def text(self) -> str:
        """The text form: mentions as ``@name``, literal @ escaped; `parse` reads it back."""
        return grammar.write(
            (p.text, False) if isinstance(p, TextPart) else (p.name, True) for p in self.parts
        )
