"""How a parsed prompt with its media becomes the model's sample: roles, source ids, time, latents.

Training encodes its data with this same class, so what the model learnt is what it is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.generate.frames import (
    frames_to_video,
    resample_frames,
    resize_video,
    token_grid_size,
)
from omnireel.generate.keep import changed_share, show_given, still_share
from omnireel.model.sequence import PATCH, OmniSample, Segment
from omnireel.model.text import Tokenizer
from omnireel.model.vae import SPACE_STRIDE, TIME_STRIDE, VideoVAE
from omnireel.mvl.prompt import Input, Prompt
from omnireel.types import Clip, MediaKind, MediaSet, Role, VideoFormat

_ON_TARGET_GRID = frozenset(
    {Role.SOURCE, Role.FIRST_FRAME, Role.LAST_FRAME, Role.ANNOTATION, Role.MOTION, Role.CAMERA}
)

_KEPT = (
    (Role.LAST_FRAME, MediaKind.IMAGE),
    (Role.FIRST_FRAME, MediaKind.IMAGE),
    (Role.SOURCE, MediaKind.VIDEO),
)


def source_ids(prompt: Prompt) -> dict[str, int]:
    """Source id (1, 2, ..) of every input and element, in the order of declaration."""
    names = [i.name for i in prompt.inputs] + [e.name for e in prompt.elements]
    return {name: n for n, name in enumerate(names, start=1)}


def latent_shape(fmt: VideoFormat) -> tuple[int, int, int]:
    """Latent (T, H, W) of a video format."""
    t = 1 + (fmt.num_frames - 1) // TIME_STRIDE
    return t, fmt.height // SPACE_STRIDE, fmt.width // SPACE_STRIDE


@dataclass(frozen=True, eq=False)
class ConditionEncoder:
    """Encodes prompts for a generator: autoencoder, tokenizer and the reference images' size."""

    vae: VideoVAE
    tokenizer: Tokenizer
    short_side: int
    patch: int = PATCH
    """Of the network (:class:`~omnireel.model.transformer.TransformerConfig`)."""

    def sample(self, prompt: Prompt, media: MediaSet, fmt: VideoFormat) -> OmniSample:
        """The model's view of a prompt.

        Raises:
            InvalidInput: when media for a declared name is missing or of the wrong kind.
        """
        return OmniSample(
            text=self.tokenizer.encode(prompt, source_ids(prompt)),
            segments=self.segments(prompt, media, fmt),
            target_shape=latent_shape(fmt),
            patch=self.patch,
        )

    def segments(self, prompt: Prompt, media: MediaSet, fmt: VideoFormat) -> tuple[Segment, ...]:
        """Condition segments in the order of declaration."""
        ids = source_ids(prompt)
        out: list[Segment] = []
        for declared in prompt.inputs:
            clips = _clips(media, declared.name)
            video = self._video(clips[0], declared.kind, declared.role, fmt)
            start = latent_shape(fmt)[0] - 1.0 if declared.role is Role.LAST_FRAME else 0.0
            latents = self._encode(video)
            out.append(Segment(latents, declared.role, ids[declared.name], start))
        for element in prompt.elements:
            for j, clip in enumerate(_clips(media, element.name)):
                video = self._video(clip, MediaKind.IMAGE, Role.ELEMENT, fmt)
                out.append(Segment(self._encode(video), Role.ELEMENT, ids[element.name], float(j)))
        return tuple(out)

    def decode(
        self, latents_CTHW: Tensor, prompt: Prompt, media: MediaSet, fmt: VideoFormat
    ) -> Tensor:
        """The video ``[3, T, H, W]`` of a result; what it left alone of a video that is edited, or
        of a given first or last frame, has their pixels."""
        with torch.no_grad():
            video_CTHW = self.vae.decode(latents_CTHW[None])[0]
            shown_CTHW = video_CTHW
            for declared, clip in _kept(prompt, media):
                given_CTHW = self._video(clip, declared.kind, declared.role, fmt)
                decoded_CTHW = self.vae.decode(self._encode(given_CTHW)[None])[0]
                if declared.kind is MediaKind.VIDEO:
                    share_1THW = changed_share(video_CTHW, decoded_CTHW)
                else:
                    at = -1 if declared.role is Role.LAST_FRAME else 0
                    share_1THW = still_share(video_CTHW, decoded_CTHW, at)
                    given_CTHW = given_CTHW.expand(-1, fmt.num_frames, -1, -1)
                shown_CTHW = show_given(shown_CTHW, given_CTHW, share_1THW)
        return shown_CTHW

    def _video(self, clip: Clip, kind: MediaKind, role: Role, fmt: VideoFormat) -> Tensor:
        frames = clip.frames_THWC
        if kind is MediaKind.IMAGE:
            frames = frames[:1]
        else:
            frames = resample_frames(frames, clip.fps, fmt.fps, fmt.num_frames)
        video = frames_to_video(frames)
        if role in _ON_TARGET_GRID:
            return resize_video(video, fmt.height, fmt.width)
        return resize_video(
            video, *token_grid_size(video.shape[2], video.shape[3], self.short_side)
        )

    def _encode(self, video_CTHW: Tensor) -> Tensor:
        device = self.vae.latent_mean.device
        with torch.no_grad():
            return self.vae.encode(video_CTHW[None].to(device))[0].float()


def _kept(prompt: Prompt, media: MediaSet) -> list[tuple[Input, Clip]]:
    """What a result may show pixels of; of two that it both shows, the later counts."""
    declared = [i for i in prompt.inputs if (i.role, i.kind) in _KEPT]
    declared.sort(key=lambda i: _KEPT.index((i.role, i.kind)))
    return [(i, _clips(media, i.name)[0]) for i in declared]


def _clips(media: Mapping[str, tuple[Clip, ...]], name: str) -> tuple[Clip, ...]:
    clips = media.get(name, ())
    if not clips:
        raise InvalidInput(f"no media was given for @{name}; attach it", field=f"inputs.{name}")
    return clips
