"""Which enhancer to open, as data, and the one function that opens it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omnireel.enhancer.base import Enhancer, OffEnhancer
from omnireel.errors import InvalidInput
from omnireel.shipped import SHIPPED_TINY

SHIPPED_ENHANCER = SHIPPED_TINY / "enhancer"


@dataclass(frozen=True)
class EnhancerSpec:
    """One enhancer back-end.

    ``tiny`` reads the shipped weights (or ``path``); ``transformers`` reads any vision-language
    model from the local folder ``path``; ``openai`` calls ``model`` at the OpenAI-compatible
    endpoint ``url`` (the part before ``/chat/completions``); ``off`` passes prompts through.
    """

    kind: Literal["tiny", "transformers", "openai", "off"] = "tiny"
    path: str = ""
    url: str = ""
    model: str = ""
    api_key_env: str = ""
    """Name of the environment variable that holds the key, never the key itself."""
    timeout_s: float = 60.0
    """For one remote answer."""
    max_new_tokens: int = 768
    """Longest answer of the ``transformers`` and ``openai`` back-ends."""
    device: str = "auto"
    """Of the ``transformers`` back-end: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``: a GPU when
    there is one. The ``tiny`` one always runs on the CPU."""

    def __post_init__(self) -> None:
        if self.kind == "transformers" and not self.path:
            raise InvalidInput(
                "the transformers enhancer needs the folder of a model", field="enhancer.path"
            )
        if self.kind == "openai" and not (self.url and self.model):
            raise InvalidInput(
                "the openai enhancer needs a URL and a model name",
                field="enhancer.model" if self.url else "enhancer.url",
            )
        if self.kind == "openai" and not self.url.startswith(("http://", "https://")):
            raise InvalidInput(f"{self.url!r} is not an http(s) address", field="enhancer.url")
        if self.kind != "transformers" and self.device not in ("auto", "cpu"):
            raise InvalidInput(
                f"the {self.kind} enhancer uses no {self.device!r}; leave the device at 'auto'",
                field="enhancer.device",
            )
        if self.timeout_s <= 0:
            raise InvalidInput("timeout_s must be more than 0", field="enhancer.timeout_s")
        if self.max_new_tokens < 1:
            raise InvalidInput("max_new_tokens must be 1 or more", field="enhancer.max_new_tokens")
        if self.kind not in ("tiny", "transformers", "openai", "off"):
            raise InvalidInput(
                f"unknown enhancer {self.kind!r}: use tiny, transformers, openai or off",
                field="enhancer.kind",
            )


def open_enhancer(spec: EnhancerSpec | None = None) -> Enhancer:
    """Open the back-end that ``spec`` names (default: the shipped tiny model).

    Imports are local: only the chosen back-end's libraries are loaded.

    Raises:
        NotFound: the model folder is missing.
        IntegrityError: the tiny weights do not match the hash in their card.
        FailedPrecondition: the environment variable of the API key is not set.
    """
    spec = spec or EnhancerSpec()
    if spec.kind == "tiny":
        from omnireel.enhancer.tiny.backend import TinyEnhancer

        return TinyEnhancer.load(Path(spec.path) if spec.path else SHIPPED_ENHANCER)
    if spec.kind == "transformers":
        from omnireel.enhancer.transformers_backend import TransformersEnhancer

        return TransformersEnhancer.load(
            Path(spec.path), max_new_tokens=spec.max_new_tokens, device=spec.device
        )
    if spec.kind == "openai":
        from omnireel.enhancer.openai_backend import OpenAIEnhancer

        return OpenAIEnhancer.from_spec(spec)
    return OffEnhancer()
