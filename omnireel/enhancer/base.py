"""What every enhancer back-end is: one method from a prompt to an enhancement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from omnireel.enhancer.schema import StructuredPrompt, StructureError, parse_structured, to_prompt
from omnireel.errors import Cancelled
from omnireel.mvl.prompt import Prompt
from omnireel.types import MediaSet


@dataclass(frozen=True)
class Enhancement:
    """The prompt to generate from and how it came about."""

    prompt: Prompt
    """The enhanced prompt; when ``fallback_reason`` is set, the user's own one, or that one told
    word for word in words that the generator knows."""
    structured: StructuredPrompt | None
    raw_output: str
    """Exactly what the model wrote, thinking included (empty for the ``off`` back-end)."""
    fallback_reason: str = ""
    """Why the user's text was not rewritten; empty when the enhancement was used."""


def never() -> bool:
    """The ``cancelled`` of a caller that always wants the answer."""
    return False


def stopped() -> Cancelled:
    """What a back-end raises once ``cancelled()`` was true."""
    return Cancelled("the work was cancelled while the prompt was being rewritten")


class Enhancer(Protocol):
    """Rewrites a prompt into the distribution that the generator was trained on."""

    @property
    def device(self) -> str:
        """Where its model runs: ``cpu``, ``cuda:0``, the URL of an endpoint, or ``none``."""
        ...

    def enhance(
        self, prompt: Prompt, media: MediaSet, cancelled: Callable[[], bool] = never
    ) -> Enhancement:
        """Enhance one prompt; ``media`` holds the decoded inputs and elements by name.

        ``cancelled`` is asked before each token that a local model writes, and several times a
        second while a remote one is awaited.

        Raises:
            Unavailable: a remote back-end cannot be reached or does not answer in time.
            Cancelled: ``cancelled()`` was true; the model has stopped.
        """
        ...


def from_output(raw: str, original: Prompt) -> Enhancement:
    """Turn a model's raw output into an enhancement, falling back to the user's own prompt."""
    structured: StructuredPrompt | None = None
    try:
        structured = parse_structured(raw)
        return Enhancement(to_prompt(structured, original), structured, raw)
    except StructureError as error:
        return Enhancement(original, structured, raw, f"{error}; your text is used unchanged")


class OffEnhancer:
    """Passes every prompt through."""

    device = "none"

    def enhance(
        self, prompt: Prompt, media: MediaSet, cancelled: Callable[[], bool] = never
    ) -> Enhancement:
        """Return ``prompt`` itself."""
        return Enhancement(prompt, None, "", "prompt enhancement is switched off")
