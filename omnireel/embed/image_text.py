"""Any CLIP- or SigLIP-like model in ``transformers`` form as an embedder of clips.

Such a model knows single images: a clip is the mean of its frames, a subject that of a picture's
middle. Cosines c are told as (1 + c) / 2, so 0.5 means unrelated; what counts as agreement differs
from model to model, so choose thresholds for yours (`omnireel.data.crossmodal.measure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from omnireel.embed.base import F32, EditAgreement
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.types import Frames

FRAMES = 8
"""Frames of a clip that are looked at."""
_MIDDLE = 0.7
"""Share of each side of a picture in which its subject is looked for."""


class ImageTextEmbedder:
    """See :class:`omnireel.embed.base.Embedder`."""

    def __init__(self, model: Any, processor: Any, tokenizer: Any, name: str) -> None:
        self._model, self._processor, self._tokenizer = model.eval(), processor, tokenizer
        self.name = name

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> ImageTextEmbedder:
        """Load from a local folder; on a GPU when there is one. Nothing is downloaded.

        Raises:
            NotFound: no such model.
            FailedPrecondition: it does not give features of both images and texts.

        """
        if not (folder / "config.json").is_file():
            raise NotFound(f"no transformers model in {folder} (config.json is missing)")
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            model = AutoModel.from_pretrained(folder, local_files_only=True)
            processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (ValueError, OSError, KeyError, ImportError) as error:
            raise FailedPrecondition(
                f"{folder} cannot be loaded as an image-text model: {error}"
            ) from error
        for method in ("get_image_features", "get_text_features"):
            if not hasattr(model, method):
                raise FailedPrecondition(
                    f"{folder} holds a {type(model).__name__}, which embeds no images and texts "
                    "together; use a CLIP- or SigLIP-like model"
                )
        return cls(model.to(device), processor, tokenizer, folder.name)

    def embed_clips(self, clips: Sequence[Frames]) -> F32:
        """Means over frames, as unit vectors."""
        rows = [F.normalize(self._frames(clip).mean(0), dim=0) for clip in clips]
        out: F32 = torch.stack(rows).numpy()
        return out

    def embed_subjects(self, clips: Sequence[Frames]) -> F32:
        """The same of the pictures' middle."""
        return self.embed_clips([_middle(clip) for clip in clips])

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> F32:
        """Unit vectors; longer texts are cut where the model ends."""
        longest = self._model.config.text_config.max_position_embeddings
        tokens = self._tokenizer(
            list(texts), padding="max_length", max_length=longest, truncation=True,
            return_tensors="pt",
        ).to(self._model.device)  # fmt: skip
        found = _tensor(self._model.get_text_features(**tokens))
        out: F32 = F.normalize(found.float().cpu(), dim=-1).numpy()
        return out

    def agreement(self, clip: Frames, texts: Sequence[str]) -> F32:
        """Cosines of the clip and each text, from 0 to 1."""
        out: F32 = (1 + self.embed_texts(texts) @ self.embed_clips([clip])[0]) / 2
        return out

    def appearance(self, reference: Frames, clip: Frames) -> float:
        """The nearest of all frames and of their middles."""
        wanted = self.embed_subjects([reference])[0]
        seen = torch.cat([self._frames(clip), self._frames(_middle(clip))]).numpy()
        return float((1 + (seen @ wanted).max()) / 2)

    def edit(self, source: Frames, result: Frames, instruction: str) -> EditAgreement:
        """Whether the result is nearer to the words than the source was (0.5: neither)."""
        if source.shape != result.shape:
            raise InvalidInput("source and result differ in frames or size", field="source")
        before, after = self.embed_clips([source, result]) @ self.embed_texts([instruction])[0]
        return EditAgreement(float((1 + after - before) / 2), None)

    def movement(self, one: Frames, other: Frames) -> None:
        """Such a model sees no movement."""

    @torch.inference_mode()
    def _frames(self, clip: Frames) -> Tensor:
        at = np.unique(np.linspace(0, len(clip) - 1, min(FRAMES, len(clip))).round().astype(int))
        pictures = [Image.fromarray(frame) for frame in clip[at]]
        pixels = self._processor(images=pictures, return_tensors="pt")["pixel_values"]
        found = _tensor(self._model.get_image_features(pixels.to(self._model.device)))
        return F.normalize(found.float().cpu(), dim=-1)


def _tensor(found: Any) -> Tensor:
    """Features, whether they come alone or in an output of the model."""
    features: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return features


def _middle(clip: Frames) -> Frames:
    h, w = clip.shape[1:3]
    top, left = round(h * (1 - _MIDDLE) / 2), round(w * (1 - _MIDDLE) / 2)
    return clip[:, top : h - top, left : w - left]
