"""Content that must not be trained on, by a classifier of images that the policy names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from omnireel.data.candidate import Candidate
from omnireel.data.checks.base import Bounds, Check, Measurement, Models, Tier
from omnireel.data.pictures import Pictures
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.media.sheet import spread

FRAMES = 8
"""Frames of a shot, and of each of its companions, that are looked at."""
SAFE = ("safe", "sfw", "normal", "neutral", "drawings")
"""Labels, in lower case, by which classifiers call what is harmless."""


class Unsafe(Check):
    """Any image classifier in ``transformers`` form some of whose labels are in :data:`SAFE`.

    A classifier that raises rejects the sample, as every check does.
    """

    name, tier, version = "unsafe", Tier.BASIC, 2
    unit = "probability that the worst frame, companions included, is none of the safe kinds"
    scale = Bounds(0, 1)
    standard = Bounds(high=0.5)
    needs_companions = True
    model = "unsafe"
    gpus = 0.1

    def __init__(self, model: Any, processor: Any, safe: list[int]) -> None:
        self._model, self._processor, self._safe = model, processor, safe

    @classmethod
    def load(cls, models: Models) -> Self:
        """Load from the folder; on a GPU when there is one. Nothing is downloaded.

        Raises:
            NotFound: no such model.
            FailedPrecondition: it is no image classifier, or none of its labels is a safe one.

        """
        assert models.unsafe is not None
        return cls(*_open(models.unsafe))

    def measure(self, candidate: Candidate) -> Measurement | None:
        """Of some frames of the clip and of every companion, the worst one.

        Raises:
            InvalidInput: a companion could not be decoded, so nobody knows what it shows.

        """
        assert candidate.frames is not None
        worst = self._worst(candidate.frames.working)
        for companion in candidate.companions:
            where = f"@{companion.name}"
            if companion.shown is None:
                raise InvalidInput(
                    f"{where} cannot be screened: {companion.error or 'not decoded'}"
                )
            found = self._worst(companion.shown)
            if found.score > worst.score:
                worst = replace(found, detail={**found.detail, "of": where})
        return worst

    def _worst(self, pictures: Pictures) -> Measurement:
        import torch

        chosen = list(pictures.at(spread(len(pictures.luma), FRAMES)).rgb)
        inputs = self._processor(images=chosen, return_tensors="pt").to(self._model.device)
        with torch.inference_mode():
            chances_TC = self._model(**inputs).logits.float().softmax(-1).cpu()
        unsafe_T = 1 - chances_TC[:, self._safe].sum(1)
        worst = int(unsafe_T.argmax())
        label = self._model.config.id2label[int(chances_TC[worst].argmax())]
        return Measurement(min(1.0, max(0.0, float(unsafe_T[worst]))), {"label": label})


def _open(folder: Path) -> tuple[Any, Any, list[int]]:
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification

    if not (folder / "config.json").is_file():
        raise NotFound(f"no transformers model in {folder} (config.json is missing)")
    try:
        model = AutoModelForImageClassification.from_pretrained(folder, local_files_only=True)
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except (ValueError, OSError, KeyError, ImportError) as error:
        raise FailedPrecondition(f"{folder} is not an image classifier: {error}") from error
    labels = {int(i): str(label) for i, label in model.config.id2label.items()}
    safe = [i for i, label in labels.items() if label.lower() in SAFE]
    if not safe or len(safe) == len(labels):
        raise FailedPrecondition(
            f"the labels of {folder} are {', '.join(labels.values())}; some of them, and not all, "
            f"must be one of {', '.join(SAFE)}: rename them in its config.json"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.eval().to(device), processor, safe
