"""A classifier from a local folder of `transformers` weights, for pictures or for text.

Only imported when a policy names one: it brings torch into the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import AutoConfig, pipeline

from omnireel.errors import InvalidInput
from services.common.safety.classifier import Subject, Verdict

_TASKS = {
    "ForImageClassification": "image-classification",
    "ForSequenceClassification": "text-classification",
}


class LocalClassifier:
    """Refuses what gets one of the labels ``refuse`` with at least the score ``above``.

    A model of pictures looks at frames alone and a model of text at words alone; ``task`` says
    which one this is.

    Raises:
        InvalidInput: the folder holds no such model, or it has not all of the labels.
    """

    def __init__(self, folder: Path, refuse: frozenset[str], above: float) -> None:
        config = _config(folder)
        (architecture,) = config.architectures or ("",)
        found = [task for end, task in _TASKS.items() if architecture.endswith(end)]
        if not found:
            raise InvalidInput(
                f"safety: {folder} holds a {architecture or 'model of unknown kind'}; an image or "
                "text classifier is needed",
                field="safety",
            )
        labels = set(config.id2label.values())
        if not refuse or not refuse <= labels:
            raise InvalidInput(
                f"safety: say which labels to refuse, as ?refuse=a,b; {folder} has "
                f"{', '.join(sorted(labels))[:300]}",
                field="safety",
            )
        self.task = found[0]
        self._refuse = refuse
        self._above = above
        self._model: Any = pipeline(
            self.task, model=str(folder), device="cpu", trust_remote_code=False
        )

    def __call__(self, subject: Subject) -> Verdict:
        """Judge every frame, or the text."""
        if self.task == "image-classification":
            asked: list[Any] = [Image.fromarray(frame) for frame in subject.frames]
        else:
            asked = [subject.text] if subject.text else []
        for each in asked:
            for said in self._model(each, top_k=None):
                if said["label"] in self._refuse and said["score"] >= self._above:
                    return Verdict(False, f"{said['label']} ({said['score']:.2f})")
        return Verdict(True)


def open_local(path: str, options: Mapping[str, str]) -> LocalClassifier:
    """``path`` with the options ``refuse`` (labels) and ``above`` (a score, 0.5 unless given).

    Raises:
        InvalidInput: see :class:`LocalClassifier`.
    """
    unknown = set(options) - {"refuse", "above"}
    try:
        above = float(options.get("above", "0.5"))
    except ValueError:
        above = -1.0
    if unknown or not 0 < above <= 1:
        raise InvalidInput("safety: the options are ?refuse=label,label&above=0.5", field="safety")
    labels = frozenset(label for label in options.get("refuse", "").split(",") if label)
    return LocalClassifier(Path(path), labels, above)


def _config(folder: Path) -> Any:
    if not (folder / "config.json").is_file():
        raise InvalidInput(f"safety: there is no model in {folder}", field="safety")
    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
