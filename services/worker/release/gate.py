"""Nothing starts that the policy refuses, and nothing is released unseen or unmarked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from omnireel.api.v1 import (
    generator_pb2,
    media_pb2,
    mvl_pb2,
    prompt_enhancer_pb2,
    super_resolver_pb2,
)
from omnireel.media import read_clip
from omnireel.store import ObjectStore
from omnireel.types import Frames
from services.common.jobs import Stage
from services.common.load_media import read_object
from services.common.safety import SafetyPolicy, Subject, SubjectKind
from services.common.sandbox import MediaSandbox
from services.worker.plan import Result, Work
from services.worker.release.provenance import Provenance, stamp
from services.worker.release.signing import ContentSigner

FRAMES_OF_A_CLIP = 8
LOOKED_AT_SHORT_SIDE = 512
_RESULTS: dict[Stage, type[Result]] = {
    Stage.ENHANCE: prompt_enhancer_pb2.EnhanceResult,
    Stage.GENERATE: generator_pb2.GenerateResult,
    Stage.UPSCALE: super_resolver_pb2.UpscaleResult,
}


class ReleaseGate:
    """Without a ``policy`` nobody is asked; without a ``signer`` provenance is not signed."""

    def __init__(
        self,
        store: ObjectStore,
        policy: SafetyPolicy | None = None,
        signer: ContentSigner | None = None,
        sandbox: MediaSandbox | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._signer = signer
        self._sandbox = sandbox or MediaSandbox()

    @property
    def shows_previews(self) -> bool:
        """Previews are pictures too: with a policy, none leaves before it was asked."""
        return self._policy is None

    def admit(self, work: Work) -> None:
        """Ask about the prompt and its inputs; see :meth:`SafetyPolicy.require`."""
        if self._policy is not None:
            frames = tuple(self._input_frames(work.request.prompt))
            self._policy.require(self._subject(SubjectKind.REQUEST, work, frames))

    def release(self, work: Work, stage: Stage, result: Result) -> None:
        """Ask about what ``stage`` made, and mark it; ``result`` then describes the marked file.

        Raises:
            FailedPrecondition: the policy refused it; what the job made is gone.
            Unavailable: the policy cannot be asked.
        """
        if isinstance(result, generator_pb2.GenerateResult | super_resolver_pb2.UpscaleResult):
            self._ask_about(work, result.video)
            versions = _versions(work) | {stage.value.lower(): result.model_version}
            self._mark(result.video, Provenance(work.job.id, versions))
        elif self._policy is not None:
            self._policy.require(
                Subject(SubjectKind.REQUEST, work.job.caller, _words(result.enhancement.prompt), ())
            )

    def mark_poster(self, work: Work, poster: media_pb2.Media) -> None:
        """Mark the poster, a frame of what was released already."""
        self._mark(poster, Provenance(work.job.id, _versions(work)))

    def close(self) -> None:
        """End the decoders."""
        self._sandbox.close()

    def _ask_about(self, work: Work, video: media_pb2.Media) -> None:
        if self._policy is None:
            return
        clip = read_clip(self._store.get(video.uri), with_audio=False)
        try:
            self._policy.require(
                self._subject(SubjectKind.OUTPUT, work, tuple(_some(clip.frames_THWC)))
            )
        except Exception:
            for info in list(self._store.list(f"{work.output_prefix}/")):
                self._store.delete(info.uri)
            raise

    def _subject(self, kind: SubjectKind, work: Work, frames: tuple[Frames, ...]) -> Subject:
        return Subject(kind, work.job.caller, _words(work.prompt), frames)

    def _input_frames(self, prompt: mvl_pb2.Prompt) -> Iterator[Frames]:
        for index, declared in enumerate(prompt.inputs):
            is_image = declared.kind == mvl_pb2.MEDIA_KIND_IMAGE
            yield from self._frames_of(declared.uri, is_image, f"prompt.inputs[{index}].uri")
        for index, element in enumerate(prompt.elements):
            for uri in element.uris:
                yield from self._frames_of(uri, True, f"prompt.elements[{index}].uris")

    def _frames_of(self, uri: str, is_image: bool, field: str) -> Iterator[Frames]:
        data = read_object(self._store, uri, self._sandbox.limits, field)
        if is_image:
            yield from self._sandbox.read_image(data, field=field).frames_THWC
        else:
            clip = self._sandbox.read_clip(
                data, field=field, shrink_short_side=LOOKED_AT_SHORT_SIDE
            )
            yield from _some(clip.frames_THWC)

    def _mark(self, media: media_pb2.Media, provenance: Provenance) -> None:
        data = stamp(self._store.get(media.uri), media.mime_type, provenance)
        if self._signer is not None:
            data = self._signer.sign(data, media.mime_type, provenance)
        self._store.put(self._store.key(media.uri), data)
        media.size_bytes, media.sha256 = len(data), hashlib.sha256(data).hexdigest()


def _some(frames_THWC: Frames) -> Iterator[Frames]:
    """The first and the last frame and some between them."""
    count = len(frames_THWC)
    chosen = np.linspace(0, count - 1, min(count, FRAMES_OF_A_CLIP)).round().astype(int)
    yield from (frames_THWC[i] for i in chosen)


def _words(prompt: mvl_pb2.Prompt) -> str:
    said = [part.text or f"@{part.mention}" for part in prompt.parts] or [prompt.text]
    described = [element.description for element in prompt.elements if element.description]
    return "\n".join(["".join(said), *described])


def _versions(work: Work) -> dict[str, str]:
    """Versions of the models whose stages are done."""
    return {
        stage.value.lower(): _RESULTS[stage].FromString(output.data).model_version
        for stage, output in work.outputs.items()
        if stage in _RESULTS
    }
