"""Sound: decoding beside a video, and what becomes of it in a result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import av
import numpy as np

from omnireel.types import Audio, Clip

MAX_RATE_HZ = 48_000


class AudioCollector:
    """Gathers decoded audio as at most two channels of float32, at most ``max_seconds`` long."""

    def __init__(self, stream: av.AudioStream, max_seconds: float) -> None:
        self.rate = min(stream.codec_context.sample_rate or MAX_RATE_HZ, MAX_RATE_HZ)
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=self.rate)
        self._room = int(max_seconds * self.rate)
        self._chunks: list[np.ndarray] = []
        self._start_s: float | None = None

    def add(self, frame: av.AudioFrame | None) -> None:
        """Take one decoded frame (None: flush). Samples beyond the bound are left out."""
        if frame is not None and self._start_s is None:
            self._start_s = frame.time or 0.0
        self._take(self._resampler.resample(frame))

    def finish(self, video_start_s: float, duration_s: float) -> Audio | None:
        """The sound of exactly the video's time span, padded with silence; None without sound."""
        if not self._chunks:
            return None
        samples_CN = np.concatenate(self._chunks, axis=1)
        lead = round(((self._start_s or 0.0) - video_start_s) * self.rate)
        lead = min(lead, round(duration_s * self.rate))
        samples_CN = np.pad(samples_CN, ((0, 0), (lead, 0))) if lead > 0 else samples_CN[:, -lead:]
        return fit_audio(Audio(samples_CN, self.rate), duration_s)

    def _take(self, frames: Iterable[av.AudioFrame]) -> None:
        for frame in frames:
            chunk = frame.to_ndarray()[:, : self._room].astype(np.float32, copy=False)
            self._room -= chunk.shape[1]
            if chunk.shape[1]:
                self._chunks.append(chunk)


def fit_audio(audio: Audio, duration_s: float) -> Audio:
    """Cut, or pad with silence, to ``duration_s`` seconds."""
    wanted = round(duration_s * audio.rate)
    samples_CN = audio.samples_CN[:, :wanted]
    missing = wanted - samples_CN.shape[1]
    return Audio(np.pad(samples_CN, ((0, 0), (0, missing))), audio.rate)


def carry_audio(source: Clip, result: Clip) -> tuple[Clip, str]:
    """Give the result the source's sound if both play equally long, to within one frame.

    Returns:
        The result, with or without sound, and a sentence to show the user when sound was dropped
        (empty otherwise).
    """
    if source.audio is None:
        return result, ""
    source_s, result_s = source.format.duration_s, result.format.duration_s
    if abs(source_s - result_s) > 1 / min(source.fps, result.fps) + 1e-6:
        return replace(result, audio=None), (
            f"The sound was dropped: the source plays {source_s:.2f} s, "
            f"the result {result_s:.2f} s."
        )
    return replace(result, audio=fit_audio(source.audio, result_s)), ""
