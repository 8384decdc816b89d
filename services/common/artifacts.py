"""What a job writes into the object store, and how the next stage reads it back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.media import write_mp4, write_png
from omnireel.store import ObjectStore
from omnireel.types import Clip, Frames, MediaKind
from services.common.preview import frame_grid

LATENTS_NAME = "latents_CTHW"
MAX_LATENT_BYTES = 1 << 30
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True)
class StoredMedia:
    """An image or video in the object store."""

    uri: str
    kind: MediaKind
    mime_type: str
    size_bytes: int
    sha256: str
    width: int
    height: int
    num_frames: int
    fps: float
    has_audio: bool


class JobOutput:
    """Files of one job under ``prefix``; all of them go away again if the job does not finish.

    Args:
        store: where to.
        prefix: key prefix, such as ``jobs/7/1``.

    Raises:
        InvalidInput: the prefix is empty or would leave its folder.
    """

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise InvalidInput(
                f"{prefix!r} is not a key prefix such as 'jobs/7/1'", field="output_prefix"
            )
        self._store = store
        self._prefix = prefix
        self._written: list[str] = []

    @contextmanager
    def kept_on_success(self) -> Iterator[JobOutput]:
        """Discard everything that was written if the block raises."""
        try:
            yield self
        except BaseException:
            self.discard()
            raise

    def put_video(self, name: str, clip: Clip) -> StoredMedia:
        """Store ``clip`` as ``{name}.mp4``."""
        data = write_mp4(clip)
        fmt = clip.format
        return StoredMedia(
            uri=self._put(f"{name}.mp4", data),
            kind=MediaKind.VIDEO,
            mime_type="video/mp4",
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            width=fmt.width,
            height=fmt.height,
            num_frames=fmt.num_frames,
            fps=fmt.fps,
            has_audio=clip.audio is not None,
        )

    def put_latents(self, latents_CTHW: npt.NDArray[np.float32]) -> str:
        """Store latents as a safetensors file; gives back its URI."""
        data = save({LATENTS_NAME: np.ascontiguousarray(latents_CTHW, dtype=np.float32)})
        return self._put("latents.safetensors", data)

    def put_preview(self, step: int, frames_THWC: Frames) -> str:
        """Store what can be seen after ``step`` steps, as one small picture; gives back its URI."""
        return self._put(f"preview-{step:03d}.png", write_png(frame_grid(frames_THWC)))

    def discard(self) -> None:
        """Delete everything that was written so far."""
        while self._written:
            self._store.delete(self._written.pop())

    def _put(self, name: str, data: bytes) -> str:
        uri = self._store.put(f"{self._prefix}/{name}", data)
        self._written.append(uri)
        return uri


def read_latents(store: ObjectStore, uri: str) -> npt.NDArray[np.float32]:
    """Latents ``CTHW`` that :meth:`JobOutput.put_latents` stored.

    Raises:
        IntegrityError: the object is not such a file.
        NotFound: there is no such object.
    """
    try:
        latents = load(store.get(uri, max_bytes=MAX_LATENT_BYTES))[LATENTS_NAME]
    except (SafetensorError, KeyError, ValueError) as error:
        raise IntegrityError(f"{uri} is not a file of latents: {error}") from error
    if latents.ndim != 4:
        raise IntegrityError(f"{uri} holds a tensor of shape {latents.shape}, not CTHW")
    return latents.astype(np.float32)
