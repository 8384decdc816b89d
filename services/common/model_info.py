"""What a model server says about its model, without wire types."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnireel.errors import IntegrityError, NotFound
from omnireel.mvl import PromptLimits
from omnireel.types import VideoFormat


@dataclass(frozen=True)
class Denoised:
    """Denoising steps since the start, and the calls of the model in which they ran together."""

    steps: int
    calls: int


@dataclass(frozen=True)
class GuidanceScales:
    """Guidance by kind of condition; ``None`` means the model's default."""

    text: float | None = None
    image: float | None = None
    video: float | None = None


@dataclass(frozen=True)
class Sampling:
    """How to make one video; 0 steps and unset guidance mean the model's defaults."""

    format: VideoFormat
    seed: int
    num_inference_steps: int = 0
    num_upscale_steps: int = 0
    guidance: GuidanceScales = GuidanceScales()


@dataclass(frozen=True)
class ModelCapabilities:
    """What one model was made for. Sizes in pixels, rates in frames per second."""

    tasks: tuple[str, ...] = ()
    """Ids of the capability table that the model was trained for."""
    sizes: tuple[tuple[int, int], ...] = ()
    min_frames: int = 1
    max_frames: int = 1
    frame_step: int = 4
    fps: tuple[float, ...] = ()
    upscale_factor: int = 0
    can_enhance: bool = False
    max_inference_steps: int = 0
    guidance_baked_in: bool = False
    """A distilled model: every guidance scale must be 1."""
    defaults: Sampling | None = None
    prompt_limits: PromptLimits = field(default_factory=PromptLimits)


@dataclass(frozen=True)
class ModelInfo:
    """One served model."""

    kind: str
    """``generator``, ``super_resolver`` or ``prompt_enhancer``."""
    name: str
    version: str
    device: str
    num_parameters: int = 0
    weights_sha256: str = ""
    license: str = "Apache-2.0"
    capabilities: ModelCapabilities = field(default_factory=ModelCapabilities)


@dataclass(frozen=True)
class CardFacts:
    """What the model cards of a served model say."""

    name: str
    version: str
    num_parameters: int
    weights_sha256: str
    license: str


def read_cards(folders: Sequence[Path]) -> CardFacts:
    """Facts about the model in ``folders[0]`` and the components that it needs.

    The version is the content: 16 hexadecimal digits of the SHA-256 over all file hashes in all
    cards, so that a changed autoencoder or configuration is another version too. That the files
    match their cards is checked where they are loaded.

    Raises:
        NotFound: a folder has no card.
        IntegrityError: a card is not readable.
    """
    cards = [_read_card(folder) for folder in folders]
    digest = hashlib.sha256()
    for card in cards:
        digest.update(json.dumps([card["kind"], sorted(card["sha256"].items())]).encode())
    main = cards[0]
    weights = [v for k, v in sorted(main["sha256"].items()) if k.endswith(".safetensors")]
    return CardFacts(
        name=str(main.get("name") or f"{folders[0].parent.name}-{main['kind']}"),
        version=digest.hexdigest()[:16],
        num_parameters=sum(int(card.get("num_parameters", 0)) for card in cards),
        weights_sha256=weights[0] if len(weights) == 1 else "",
        license=str(main.get("licence", "Apache-2.0")),
    )


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / "card.json"
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dict(card["sha256"]), str(card["kind"])
    except FileNotFoundError:
        raise NotFound(
            f"no model in {folder} (card.json is missing); point the service's WEIGHTS setting to "
            "a folder of trained components"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path} is damaged: {error!r}; restore it") from error
    return card
