"""What rewrites prompts. No gRPC here; libraries are imported when a model is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from omnireel.enhancer import Enhancement, Enhancer, EnhancerSpec, open_enhancer
from omnireel.errors import Cancelled
from omnireel.mvl import Prompt, TextPart
from omnireel.types import MediaSet
from services.common.model_info import Denoised, ModelCapabilities, ModelInfo, read_cards
from services.common.threads import use_cpu_threads
from services.prompt_enhancer.settings import PromptEnhancerSettings

_HASHED_WHOLE_BYTES = 1 << 20


class PromptEnhancerEngine(Protocol):
    """Rewrites prompts, one at a time."""

    @property
    def info(self) -> ModelInfo:
        """What runs here."""
        ...

    def warm_up(self) -> None:
        """Enhance one short prompt."""
        ...

    @property
    def denoised(self) -> Denoised | None:
        """None: it does not denoise."""
        ...

    def enhance(
        self, prompt: Prompt, media: MediaSet, *, cancelled: Callable[[], bool]
    ) -> Enhancement:
        """Enhance one prompt; output that does not parse is a fall-back, not an error.

        Raises:
            Unavailable: a remote back-end does not answer.
            Cancelled: ``cancelled()`` was true; the model has stopped.
        """
        ...


class EnhancerEngine:
    """The real engine: any back-end of :mod:`omnireel.enhancer`."""

    def __init__(self, enhancer: Enhancer, info: ModelInfo) -> None:
        self._enhancer = enhancer
        self.info = info

    denoised = None

    @classmethod
    def load(cls, settings: PromptEnhancerSettings) -> EnhancerEngine:
        """Open the back-end that ``settings`` name."""
        use_cpu_threads(settings.threads)
        spec = settings.spec()
        enhancer = open_enhancer(spec)
        return cls(enhancer, model_info(spec, enhancer.device))

    def warm_up(self) -> None:
        """Enhance one short prompt; a remote endpoint is asked, too, whether it answers."""
        self.enhance(Prompt((TextPart("a red ball"),)), {}, cancelled=lambda: False)

    def enhance(
        self, prompt: Prompt, media: MediaSet, *, cancelled: Callable[[], bool]
    ) -> Enhancement:
        """See :class:`PromptEnhancerEngine`."""
        if cancelled():
            raise Cancelled("the work was cancelled before the model began")
        return self._enhancer.enhance(prompt, media, cancelled)


def model_info(spec: EnhancerSpec, device: str) -> ModelInfo:
    """What is known about a back-end whose model runs on ``device``; the version of local weights
    is their content."""
    capabilities = ModelCapabilities(can_enhance=spec.kind != "off")
    if spec.kind == "tiny":
        facts = read_cards([Path(spec.path)])
        return ModelInfo(
            kind="prompt_enhancer",
            name=facts.name,
            version=facts.version,
            device=device,
            num_parameters=facts.num_parameters,
            weights_sha256=facts.weights_sha256,
            license=facts.license,
            capabilities=capabilities,
        )
    name, version = _outside_model(spec)
    return ModelInfo(
        kind="prompt_enhancer",
        name=name,
        version=version,
        device=device,
        license="",
        capabilities=capabilities,
    )


def _outside_model(spec: EnhancerSpec) -> tuple[str, str]:
    """Name and version of a model that has no card of ours."""
    if spec.kind == "transformers":
        return Path(spec.path).name, folder_version(Path(spec.path))
    if spec.kind == "openai":
        return spec.model, spec.model
    return "off", "off"


def folder_version(folder: Path) -> str:
    """16 hexadecimal digits over a model folder: names, sizes, and the content of small files.

    Large files count by name and size alone, since hashing many gigabytes would delay each start.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.glob("**/*") if p.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)}\0{size}\0".encode())
        if size <= _HASHED_WHOLE_BYTES:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
