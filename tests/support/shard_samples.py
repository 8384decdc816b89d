"""Training samples of every shape, and folders of small clips as people have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from omnireel.data.sample import Media, SampleInput, TrainingSample
from omnireel.media import write_mp4, write_png
from omnireel.types import Clip, MediaKind, Role


def frames(
    seed: int = 0, count: int = 17, height: int = 40, width: int = 48, fps: float = 8.0
) -> Clip:
    """A colour that slowly changes, with some texture."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 200, (1, height, width, 3))
    drift = np.arange(count)[:, None, None, None]
    return Clip(np.clip(base + drift, 0, 255).astype(np.uint8), fps=fps)


def bytes_sample(key: str, data: bytes = b"media", **more: object) -> TrainingSample:
    """A sample whose media are no real files: for everything that does not decode."""
    return TrainingSample(
        key=key,
        target=Media(data, MediaKind.VIDEO),
        text=f"a red ball, number {key}",
        **more,  # type: ignore[arg-type]
    )


def edit_sample(key: str = "edit") -> TrainingSample:
    """An edit with a source, a reference and an element of two images."""
    image = [Media(write_png(frames(i, 1).frames_THWC), MediaKind.IMAGE) for i in range(3)]
    return TrainingSample(
        key=key,
        target=Media(write_mp4(frames(5)), MediaKind.VIDEO),
        text="put @Hat on @Hero in @Clip, mail a@b.com",
        vague_text="give @Hero in @Clip @Hat",
        captions={"terse": "@Hero with @Hat", "elaborate": "@Hero in @Clip wears @Hat with pride"},
        inputs=(
            SampleInput("Clip", Role.SOURCE, Media(write_mp4(frames(6)), MediaKind.VIDEO)),
            SampleInput("Hat", Role.REFERENCE, image[0]),
            SampleInput("Hero", Role.ELEMENT, image[1], "a bear"),
            SampleInput("Hero", Role.ELEMENT, image[2]),
        ),
        capability="C21",
        source_sha256="0" * 64,
        lineage={"tiers": [{"name": "blur", "value": 0.25, "passed": True}]},
    )


class Samples:
    """A sample source over a list that counts what it is asked for."""

    def __init__(self, samples: Sequence[TrainingSample]) -> None:
        self._by_key = {sample.key: sample for sample in samples}
        self.loaded: list[str] = []

    def contents(self) -> Mapping[str, str]:
        return {key: sample.digest() for key, sample in self._by_key.items()}

    def load(self, key: str) -> TrainingSample:
        self.loaded.append(key)
        return self._by_key[key]


def clip_folder(folder: Path, clips: int = 4, **shape: float) -> Path:
    """``clip_0.mp4`` with ``clip_0.txt``, and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(clips):
        write_mp4(frames(i, **shape), folder / f"clip_{i}.mp4")  # type: ignore[arg-type]
        (folder / f"clip_{i}.txt").write_text(f"a red ball rolls, take {i}\n")
    return folder
