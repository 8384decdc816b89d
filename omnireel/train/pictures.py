"""Validation media as files that people can open: PNG for one frame, animated WebP for more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from omnireel.train.callbacks import Callback, ValidationReport
from omnireel.types import Frames


def save_media(media: Mapping[str, Frames], folder: Path, fps: float = 8.0) -> list[Path]:
    """Write each ``frames_THWC`` to ``folder`` and return the paths."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, frames in media.items():
        images = [Image.fromarray(frame) for frame in frames]
        if len(images) == 1:
            path = folder / f"{name}.png"
            images[0].save(path)
        else:
            path = folder / f"{name}.webp"
            images[0].save(
                path,
                save_all=True,
                append_images=images[1:],
                duration=round(1000 / fps),
                loop=0,
                quality=90,
            )
        paths.append(path)
    return paths


class ValidationFiles(Callback):
    """Keeps the media of the newest validation in ``<run>/validation/``."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "validation"

    def on_validation(self, step: int, report: ValidationReport) -> None:
        """Overwrite the files."""
        save_media(report.media, self._folder)
