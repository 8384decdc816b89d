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
from omnireel.generate.given import given_videos
from omnireel.generate.keep import kept
from omnireel.model.keeper import Keeper
from omnireel.model.sequence import PATCH, OmniSample, Segment
from omnireel.model.text import Tokenizer
from omnireel.model.vae import SPACE_STRIDE, TIME_STRIDE, VideoVAE
from omnireel.mvl.prompt import Prompt
from omnireel.types import Clip, MediaKind, MediaSet, Role, VideoFormat

_ON_TARGET_GRID = frozenset(
    {Role.SOURCE, Role.FIRST_FRAME, Role.LAST_FRAME, Role.ANNOTATION, Role.MOTION, Role.CAMERA}
)

_AT = {Role.FIRST_FRAME: 0, Role.LAST_FRAME: -1}
"""Frames of a result that are given."""


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
    keeper: Keeper | None = None
    """What shows given pixels in results; None: none are."""

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
        """The video ``[3, T, H, W]`` of a result, with the given pixels that it shows; a given
        first or last frame is that frame."""
        with torch.no_grad():
            shown_CTHW = self.vae.decode(latents_CTHW[None])[0]
            if self.keeper is not None:
                videos = given_videos(prompt, media, fmt, smaller=True)
                given = [video.to(shown_CTHW) for video in videos]
                looks = [self.vae.decode(self._encode(video)[None])[0] for video in given]
                shown_CTHW = kept(self.keeper, shown_CTHW, given, looks)
            for declared in prompt.inputs:
                if declared.role in _AT:
                    clip = _clips(media, declared.name)[0]
                    frame_C1HW = self._video(clip, declared.kind, declared.role, fmt)[:, :1]
                    shown_CTHW[:, _AT[declared.role]] = frame_C1HW[:, 0].to(shown_CTHW)
        return shown_CTHW

    def grid(self, clip: Clip, role: Role, fmt: VideoFormat) -> tuple[int, int]:
        """Height and width at which the model sees a clip of this role."""
        if role in _ON_TARGET_GRID:
            return fmt.height, fmt.width
        return token_grid_size(clip.format.height, clip.format.width, self.short_side)

    def _video(self, clip: Clip, kind: MediaKind, role: Role, fmt: VideoFormat) -> Tensor:
        frames = clip.frames_THWC
        if kind is MediaKind.IMAGE:
            frames = frames[:1]
        else:
            frames = resample_frames(frames, clip.fps, fmt.fps, fmt.num_frames)
        return resize_video(frames_to_video(frames), *self.grid(clip, role, fmt))

    def _encode(self, video_CTHW: Tensor) -> Tensor:
        device = self.vae.latent_mean.device
        with torch.no_grad():
            return self.vae.encode(video_CTHW[None].to(device))[0].float()


def _clips(media: Mapping[str, tuple[Clip, ...]], name: str) -> tuple[Clip, ...]:
    clips = media.get(name, ())
    if not clips:
        raise InvalidInput(f"no media was given for @{name}; attach it", field=f"inputs.{name}")
    return clips
