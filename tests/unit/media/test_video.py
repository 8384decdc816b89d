from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from omnireel.errors import InvalidInput, NotFound
from omnireel.media import (
    DecodeLimits,
    probe_clip,
    read_clip,
    read_media,
    write_mp4,
    write_png,
    write_webp_animation,
)
from omnireel.media.clock import FrameClock
from omnireel.types import Audio, Clip, Frames, MediaKind


def moving_square(num_frames: int = 9, width: int = 48, height: int = 32) -> Frames:
    frames = np.full((num_frames, height, width, 3), 200, np.uint8)
    for i in range(num_frames):
        frames[i, 8:24, 2 * i : 2 * i + 16] = (220, 40, 30)
    return frames


def encoded(
    frames: Frames,
    *,
    container: str = "mp4",
    codec: str = "libx264",
    times: list[int] | None = None,
    pixel_format: str = "yuv420p",
    prepare: Callable[[av.VideoStream], None] = lambda stream: None,
) -> bytes:
    """A file by PyAV itself, independent of our writer; ``times`` in units of 1/8 s."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=8)
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        stream.pix_fmt = pixel_format
        prepare(stream)
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format=pixel_format)
            picture.pts, picture.time_base = (times or range(99))[i], Fraction(1, 8)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("mp4", "libx264"),
        ("mov", "libx264"),
        ("matroska", "libx264"),
        ("webm", "libvpx-vp9"),
        ("mpegts", "libx264"),
        ("avi", "mpeg4"),
    ],
)
def test_containers(container: str, codec: str) -> None:
    frames = moving_square()
    clip = read_clip(encoded(frames, container=container, codec=codec))
    assert clip.frames_THWC.shape == frames.shape
    assert clip.fps == pytest.approx(8, rel=0.01)
    assert np.abs(clip.frames_THWC.astype(int) - frames).mean() < 12


def test_mp4_round_trip_keeps_frames_colours_rate_and_sound() -> None:
    rate = 44_100
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(17 / 8 * rate)) / rate)
    clip = Clip(moving_square(17), 8.0, Audio(np.stack([tone, -tone]).astype(np.float32), rate))
    back = read_clip(write_mp4(clip))
    assert back.format == clip.format
    assert np.abs(back.frames_THWC.astype(int) - clip.frames_THWC).mean() < 2
    assert back.audio is not None and clip.audio is not None
    assert back.audio.rate == rate
    assert back.audio.samples_CN.shape == clip.audio.samples_CN.shape
    middle = slice(4000, -4000)
    assert np.abs(back.audio.samples_CN - clip.audio.samples_CN)[:, middle].max() < 0.05
    assert read_clip(write_mp4(clip), with_audio=False).audio is None


def test_odd_sizes_odd_rates_and_one_frame() -> None:
    clip = Clip(moving_square(1, 33, 31), 30_000 / 1001)
    back = read_clip(write_mp4(clip))
    assert back.frames_THWC.shape == (1, 32, 34, 3)
    assert np.abs(back.frames_THWC[0, :31, :33].astype(int) - clip.frames_THWC[0]).mean() < 4
    ntsc = read_clip(write_mp4(Clip(moving_square(9), 30_000 / 1001)))
    assert ntsc.fps == pytest.approx(30_000 / 1001)


def test_writing_is_deterministic_and_replaces_whole_files(tmp_path: Path) -> None:
    clip, path = Clip(moving_square()), tmp_path / "out.mp4"
    path.write_bytes(b"old")
    data = write_mp4(clip, path)
    assert write_mp4(clip) == data == path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    with pytest.raises(InvalidInput, match="without frames"):
        write_mp4(Clip(np.zeros((0, 32, 32, 3), np.uint8)), path)
    assert path.read_bytes() == data


def test_webp_animation_round_trip() -> None:
    frames = moving_square(7)
    back = read_clip(write_webp_animation(Clip(frames, 12.0), quality=100))
    assert back.frames_THWC.shape == frames.shape
    assert back.fps == pytest.approx(12, rel=0.01)
    assert np.abs(back.frames_THWC.astype(int) - frames).mean() < 4


def test_uneven_times_are_made_even() -> None:
    # Shown at 0, 1, 2, 6, 7, 8 eighths: the third frame stays for half a second.
    frames = moving_square(6)
    clip = read_clip(encoded(frames, times=[0, 1, 2, 6, 7, 8]))
    assert clip.format.duration_s == pytest.approx(6 / 5, abs=0.2)
    held = np.abs(np.diff(clip.frames_THWC.astype(int), axis=0)).mean(axis=(1, 2, 3)) < 1.5
    assert held.any()


def test_pixels_that_are_not_square() -> None:
    wide = encoded(
        moving_square(), prepare=lambda s: setattr(s, "sample_aspect_ratio", Fraction(2, 1))
    )
    assert read_clip(wide).frames_THWC.shape == (9, 32, 96, 3)


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [
        (0, 1, -1, 0),  # a phone's quarter turn clockwise
        (-1, 0, 0, -1),
        (0, -1, 1, 0),
        (-1, 0, 0, 1),  # a front camera's mirror image
        (1, 0, 0, -1),
        (0, 1, 1, 0),
        (0, -1, -1, 0),
    ],
)
def test_rotation_and_mirroring(a: int, b: int, c: int, d: int) -> None:
    # The track header's matrix takes the point (x, y) to (a x + c y, b x + d y).
    frames = moving_square()
    frames[:, :8, :16] = 0
    data = bytearray(encoded(frames))
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(
        ">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 0x40000000
    )
    upright = frames[:, ::d, ::a] if a else frames[:, ::c, ::b].transpose(0, 2, 1, 3)
    clip = read_clip(bytes(data))
    assert clip.frames_THWC.shape == upright.shape
    assert np.abs(clip.frames_THWC.astype(int) - upright).mean() < 12


@pytest.mark.parametrize(
    ("first_s", "second_s"),
    [(20, 0), (0, 0), (1000, 0), (0, 1000), (1000, 1000)],
)
def test_joined_recordings_play_one_after_the_other(first_s: int, second_s: int) -> None:
    def recording(start_s: int, frames: Frames) -> bytes:
        times = list(range(8 * start_s, 8 * start_s + 9))
        return encoded(frames, container="mpegts", times=times)

    there = moving_square()
    back = there[::-1]
    data = recording(first_s, there) + recording(second_s, back)
    clip = read_clip(data)
    assert clip.format == probe_clip(data)[0]
    assert (len(clip.frames_THWC), clip.fps) == (18, 8.0)
    shown = np.concatenate([there, back])
    assert (np.abs(clip.frames_THWC.astype(int) - shown).mean(axis=(1, 2, 3)) < 4).all()


def test_a_still_picture_is_no_leap() -> None:
    held = encoded(moving_square(2), container="matroska", times=[0, 160])
    assert read_clip(held).format.duration_s == pytest.approx(40)


def test_frame_times_only_grow() -> None:
    clock = FrameClock(longest_step_s=10.0)
    given = [5.0, 5.5, None, 6.5, 6.5, 2.0, 2.5, 99.0, 100.0]
    times = [clock.read(time_s, 0.5) for time_s in given]
    assert times == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.5]
    assert clock.start_s == 5.0


def test_shrinking_while_decoding() -> None:
    data = write_mp4(Clip(moving_square(9, 192, 128)))
    clip = read_clip(data, DecodeLimits(max_decoded_bytes=9 * 48 * 32 * 3), shrink_short_side=32)
    assert clip.frames_THWC.shape == (9, 32, 48, 3)
    webp = write_webp_animation(Clip(moving_square(9, 192, 128)))
    assert read_clip(webp, shrink_short_side=32).frames_THWC.shape == (9, 32, 48, 3)
    assert read_clip(data, shrink_short_side=999).frames_THWC.shape == (9, 128, 192, 3)
    with pytest.raises(InvalidInput, match="MiB decoded"):
        read_clip(data, DecodeLimits(max_decoded_bytes=9 * 48 * 32 * 3))


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (DecodeLimits(max_bytes=100), "MiB at most"),
        (DecodeLimits(max_pixels=48 * 32 - 1), "48x32 = 1536 pixels"),
        (DecodeLimits(max_frames=8), "more than 8 frames"),
        (DecodeLimits(max_seconds=1.0), "longer than 1 s"),
    ],
)
@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_limits(limits: DecodeLimits, says: str, container: str) -> None:
    # Matroska and MPEG-TS do not say the number of frames in the header: they are counted.
    codec = "libx264"
    data = encoded(moving_square(), container=container, codec=codec)
    with pytest.raises(InvalidInput, match=says) as caught:
        read_clip(data, limits, field="inputs[1]")
    assert caught.value.violations[0].field == "inputs[1]"


def test_exactly_at_the_limits() -> None:
    data = encoded(moving_square())
    limits = DecodeLimits(len(data), 48 * 32, 9, 9 / 8, 9 * 48 * 32 * 3)
    assert len(read_clip(data, limits).frames_THWC) == 9


def test_a_stream_that_changes_its_size_half_way() -> None:
    small = encoded(moving_square(), container="mpegts")
    large = encoded(moving_square(9, 96, 64), container="mpegts")
    with pytest.raises(InvalidInput, match="96x64 = 6144 pixels"):
        read_clip(small + large, DecodeLimits(max_pixels=48 * 32))
    with pytest.raises(InvalidInput, match="changes its size at frame 9"):
        read_clip(small + large)
    # Far beyond the limit, the decoder refuses before it takes the memory.
    huge = encoded(moving_square(9, 960, 640), container="mpegts")
    with pytest.raises(InvalidInput, match="cannot be decoded"):
        read_clip(small + huge, DecodeLimits(max_pixels=48 * 32))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes"),
        (b"hello, this is text\n" * 20, "a text file"),
        ("こんにちは".encode() * 1000, "a text file"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "a text file"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "a text file"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"ID3\x04rest", "a sound file"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "a sound file"),
        (bytes(range(128, 256)) * 4, "of an unknown type"),
        (b"\x00\x00\x00\x20ftypheic" + bytes(100), "HEIC"),
        (b"\x00\x00\x00\x20ftyphevc" + bytes(100), "HEIC"),
        (b"\x00\x00\x00\x20ftypmsf1" + bytes(100), "HEIC"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(1000), "damaged, cut off"),
        (b"\x1a\x45\xdf\xa3" + bytes(1000), "damaged, cut off"),
        (b"GIF89a" + bytes(50), "damaged or cut off"),
    ],
)
def test_wrong_files(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_clip(data)


def test_wrong_kinds_name_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a PNG image; a video"):
        read_clip(write_png(moving_square(1)))
    with pytest.raises(InvalidInput, match="single frame; a video is needed"):
        read_clip(write_webp_animation(Clip(moving_square(1))))
    with pytest.raises(NotFound, match="no file"):
        read_clip(tmp_path / "missing.mp4")


def test_images_and_videos_are_told_apart() -> None:
    still, moving = Clip(moving_square(1)), Clip(moving_square())
    for data in (write_png(still), write_webp_animation(still)):
        kind, clip = read_media(data)
        assert (kind, len(clip.frames_THWC)) == (MediaKind.IMAGE, 1)
    for data in (write_mp4(moving), write_webp_animation(moving)):
        kind, clip = read_media(data, shrink_short_side=16)
        assert (kind, clip.frames_THWC.shape) == (MediaKind.VIDEO, (9, 16, 24, 3))
    # A video of one frame is still a video.
    assert read_media(write_mp4(still))[0] is MediaKind.VIDEO
    with pytest.raises(InvalidInput, match=r"upload is a text file"):
        read_media(b"words", field="upload")


def test_a_file_without_pictures_or_without_frames() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=44_100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 44_100
        out.mux(stream.encode(silence))
        out.mux(stream.encode(None))
    with pytest.raises(InvalidInput, match="no picture track"):
        read_clip(buffer.getvalue())
    data = encoded(moving_square(1))
    start = data.index(b"mdat") + 4
    blank = data[:start] + bytes(data.index(b"moov") - 4 - start) + data[data.index(b"moov") - 4 :]
    with pytest.raises(InvalidInput, match=r"no frames|cannot be decoded"):
        read_clip(blank)


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.6, 0.9])
def test_cut_off_files_never_crash(keep: float, tmp_path: Path) -> None:
    for container in ("mp4", "matroska", "mpegts"):
        data = encoded(moving_square(), container=container)
        path = tmp_path / container
        path.write_bytes(data[: int(len(data) * keep)])
        try:
            clip = read_clip(path)
        except InvalidInput:
            continue
        assert 1 <= len(clip.frames_THWC) <= 9


def test_damaged_files_never_crash() -> None:
    rng = np.random.default_rng(0)
    data = np.frombuffer(write_mp4(Clip(moving_square())), np.uint8)
    for _ in range(60):
        damaged = data.copy()
        where = rng.integers(0, len(data), 8)
        damaged[where] = rng.integers(0, 256, 8)
        try:
            clip = read_clip(damaged.tobytes(), DecodeLimits(max_pixels=10_000, max_frames=50))
        except InvalidInput:
            continue
        assert clip.frames_THWC.shape[1] * clip.frames_THWC.shape[2] <= 10_000
