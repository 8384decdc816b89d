"""Frames -> MP4, PNG and animated WebP. Files appear whole or not at all."""

from __future__ import annotations

import io
import logging
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.files import atomic_write, disk_errors
from omnireel.types import Audio, Clip, Frames

_log = logging.getLogger(__name__)
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_BT709 = 1  # the same number names the matrix, the primaries and the transfer in H.264
_TV_RANGE = 1


@dataclass(frozen=True)
class Mp4Settings:
    """``crf``: constant rate factor of x264, 0 (lossless) to 51; 16 hides all artefacts."""

    crf: int = 16
    preset: str = "medium"
    audio_bits_per_s: int = 128_000
    # Fixed, because x264's output depends on the number of threads.
    threads: int = 2


@dataclass(frozen=True)
class VideoEncoder:
    """The encoder in use; ``note`` is a sentence for the user when it is not the wanted one."""

    name: str
    note: str = ""


def choose_encoder() -> VideoEncoder:
    """libx264 if this build of FFmpeg has it, else another one, with a note that says so.

    Raises:
        FailedPrecondition: this build can write no MP4 video at all.
    """
    if "libx264" in av.codecs_available:
        return VideoEncoder("libx264")
    for name in ("libopenh264", "mpeg4"):
        if name in av.codecs_available:
            return VideoEncoder(
                name,
                f"This FFmpeg has no libx264; {name} is used, so files are larger"
                + (" and most browsers cannot play them." if name == "mpeg4" else "."),
            )
    raise FailedPrecondition("this FFmpeg has no MP4 video encoder; install a build with libx264")


def write_mp4(clip: Clip, path: Path | None = None, settings: Mp4Settings | None = None) -> bytes:
    """Encode as MP4 (H.264, yuv420p, BT.709; AAC sound) and return the bytes.

    ``path``, if given, gets the file too, atomically. Odd sizes are padded by one repeated row or
    column, since yuv420p knows only even ones. Equal clips give equal bytes with one FFmpeg build.

    Raises:
        InvalidInput: a clip without frames.
        ResourceExhausted: the disk is full.
    """
    if not len(clip.frames_THWC):
        raise InvalidInput("a clip without frames cannot be written", field="clip")
    settings = settings or Mp4Settings()
    encoder = choose_encoder()
    if encoder.note:
        _log.warning(encoder.note)
    # A real file, because the muxer moves the index to the front by reading it again.
    with tempfile.TemporaryDirectory(prefix="omnireel-mp4-") as folder:
        partial = Path(folder, "clip.mp4")
        with disk_errors(Path(folder)):
            _encode(clip, partial, settings, encoder.name)
            data = partial.read_bytes()
    if path is not None:
        atomic_write(path, data)
    return data


def write_png(image: Clip | Frames, path: Path | None = None) -> bytes:
    """Encode one frame (a clip of one, or ``(H, W, 3)`` / ``(1, H, W, 3)``) as PNG."""
    frames = image.frames_THWC if isinstance(image, Clip) else image
    if frames.ndim == 4:
        if len(frames) != 1:
            raise InvalidInput(f"a PNG holds one frame, not {len(frames)}", field="image")
        frames = frames[0]
    buffer = io.BytesIO()
    Image.fromarray(frames).save(buffer, "PNG", optimize=True)
    return _saved(buffer.getvalue(), path)


def write_webp_animation(clip: Clip, path: Path | None = None, *, quality: int = 85) -> bytes:
    """Encode as an endless animated WebP (``quality`` 0..100)."""
    first, *rest = [Image.fromarray(frame) for frame in clip.frames_THWC]
    # Whole milliseconds that add up: rounding each frame alone would drift.
    ends = np.round(np.arange(len(clip.frames_THWC) + 1) * 1000 / clip.fps).astype(int)
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=rest,
        duration=np.diff(ends).tolist(),
        loop=0,
        quality=quality,
        method=4,
    )
    return _saved(buffer.getvalue(), path)


def _saved(data: bytes, path: Path | None) -> bytes:
    if path is not None:
        atomic_write(path, data)
    return data


def _encode(clip: Clip, path: Path, settings: Mp4Settings, codec: str) -> None:
    _, height, width, _ = clip.frames_THWC.shape
    pad = ((0, height % 2), (0, width % 2), (0, 0))
    rate = Fraction(clip.fps).limit_denominator(1001)
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        quality = {"crf": str(settings.crf), "preset": settings.preset}
        stream = container.add_stream(
            codec, rate=rate, options=quality if codec == "libx264" else {}
        )
        stream.width, stream.height, stream.pix_fmt = (
            width + width % 2,
            height + height % 2,
            "yuv420p",
        )
        context = stream.codec_context
        context.thread_count = settings.threads
        context.flags |= av.codec.context.Flags.bitexact
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _TV_RANGE
        sound = _add_audio_stream(container, clip.audio, settings) if clip.audio else None
        for i, frame_HWC in enumerate(clip.frames_THWC):
            picture = av.VideoFrame.from_ndarray(np.pad(frame_HWC, pad, mode="edge"), "rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            picture.pts, picture.time_base = i, 1 / rate
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if sound is not None and clip.audio is not None:
            _mux_audio(container, sound, clip.audio)


def _add_audio_stream(
    container: av.container.OutputContainer, audio: Audio, settings: Mp4Settings
) -> av.AudioStream:
    layout = "mono" if len(audio.samples_CN) == 1 else "stereo"
    rate = min(_AAC_RATES, key=lambda r: abs(r - audio.rate))
    stream = container.add_stream("aac", rate=rate, layout=layout)
    stream.bit_rate = settings.audio_bits_per_s
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return stream


def _mux_audio(
    container: av.container.OutputContainer, stream: av.AudioStream, audio: Audio
) -> None:
    layout = "mono" if len(audio.samples_CN) == 1 else "stereo"
    samples_CN = np.ascontiguousarray(audio.samples_CN[:2].clip(-1, 1), np.float32)
    whole = av.AudioFrame.from_ndarray(samples_CN, format="fltp", layout=layout)
    whole.sample_rate, whole.pts = audio.rate, 0
    to_encoder = av.AudioResampler(
        "fltp", layout, stream.codec_context.sample_rate, frame_size=1024
    )
    for frame in (*to_encoder.resample(whole), *to_encoder.resample(None)):
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
