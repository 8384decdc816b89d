"""Bad, odd and hostile media, made here byte by byte, each with the verdict that it deserves."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from omnireel.media import DecodeLimits, write_mp4, write_png, write_webp_animation
from omnireel.types import Clip, Frames

WIDTH, HEIGHT, NUM_FRAMES = 48, 32, 9
LIMITS = DecodeLimits(
    max_bytes=2 << 20, max_pixels=512 * 512, max_frames=60, max_seconds=20.0,
    max_decoded_bytes=32 << 20,
)  # fmt: skip


@dataclass(frozen=True)
class Accepted:
    """Decodes to this."""

    num_frames: int = NUM_FRAMES
    size: tuple[int, int] = (WIDTH, HEIGHT)
    is_image: bool = False
    fps: float = 8.0


@dataclass(frozen=True)
class Refused:
    """A message with these words (a regular expression)."""

    says: str


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    make: Callable[[], bytes]
    verdict: Accepted | Refused


def frames(count: int = NUM_FRAMES, width: int = WIDTH, height: int = HEIGHT) -> Frames:
    """A red square on its way."""
    made = np.full((count, height, width, 3), 200, np.uint8)
    for i in range(count):
        made[i, 8:24, 2 * i % width : 2 * i % width + 16] = (220, 40, 30)
    return made


def video(
    container: str = "mp4",
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    *,
    shown: Frames | None = None,
    times: list[int] | None = None,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    prepare: Callable[[Any, Any], None] = lambda out, stream: None,
) -> bytes:
    """A file of PyAV's own; ``times`` in eighths of a second."""
    shown = frames() if shown is None else shown
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=options or {}) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=8)
        stream.width, stream.height, stream.pix_fmt = shown.shape[2], shown.shape[1], pixel_format
        prepare(out, stream)
        for i, frame in enumerate(shown):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format=pixel_format)
            picture.pts, picture.time_base = (times or range(10_000))[i], Fraction(1, 8)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def image(mode: str = "RGB", kind: str = "PNG", **options: Any) -> bytes:
    """A still of Pillow's own."""
    buffer = io.BytesIO()
    Image.fromarray(frames(1)[0]).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int = WIDTH, height: int = HEIGHT, *, data: bytes | None = None, extra: bytes = b"",
    depth: int = 8, colour: int = 2,
) -> bytes:  # fmt: skip
    """A PNG of any claim; ``extra`` are chunks before the picture."""
    rows = zlib.compress(bytes((width * 3 + 1) * height)) if data is None else data
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", rows)
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def zip_bomb(size: int) -> bytes:
    """``size`` zeroes in a thousandth of it."""
    return zlib.compress(bytes(size), 9)


def gray16() -> bytes:
    """A PNG of 16 bits."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH), 0x8034, np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg_with(segment: int, body: bytes, times: int = 1) -> bytes:
    """A JPEG with ``times`` marker segments in front of its picture."""
    plain = image(kind="JPEG")
    extra = b"".join(
        bytes([0xFF, segment]) + struct.pack(">H", len(body) + 2) + body for _ in range(times)
    )
    return plain[:2] + extra + plain[2:]


def orientation(value: int) -> Image.Exif:
    """EXIF that turns the picture."""
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def animation(kind: str, count: int = NUM_FRAMES, duration: int = 125, **options: Any) -> bytes:
    """An animated GIF, WebP or PNG."""
    first, *rest = [Image.fromarray(frame) for frame in frames(count)]
    buffer = io.BytesIO()
    first.save(
        buffer, kind, save_all=True, append_images=rest, duration=duration, loop=0, **options
    )
    return buffer.getvalue()


def large_jpeg() -> bytes:
    """A JPEG of three times the pixels that are allowed."""
    buffer = io.BytesIO()
    Image.fromarray(frames(1, 1024, 768)[0]).save(buffer, "JPEG")
    return buffer.getvalue()


def two_in_one() -> bytes:
    """A JPEG with another picture behind it, as cameras write them."""
    first, second = [Image.fromarray(frame) for frame in frames(2)]
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    return buffer.getvalue()


def gif_of_huge_screen() -> bytes:
    """A GIF whose screen is 65535 pixels square, though its picture is small."""
    data = bytearray(animation("GIF"))
    data[6:10] = struct.pack("<HH", 65_535, 65_535)
    return bytes(data)


def patched(data: bytes, box: bytes, offset: int, new: bytes) -> bytes:
    """``new`` at ``offset`` after the name of the first ``box``."""
    made = bytearray(data)
    at = made.index(box) + len(box) + offset
    made[at : at + len(new)] = new
    return bytes(made)


def turned(a: int = 0, b: int = 1, c: int = -1, d: int = 0) -> bytes:
    """A matrix in the track header: a quarter turn, as phones write it."""
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 0x40000000)
    return patched(video(), b"tkhd", 40, matrix)


def endless_boxes() -> bytes:
    """An MP4 of nothing but boxes in boxes."""
    inner = b""
    for _ in range(3000):
        inner = struct.pack(">I", len(inner) + 8) + b"moov" + inner
    return struct.pack(">I", 16) + b"ftypisom\0\0\0\0" + inner


def many_streams(count: int) -> bytes:
    """One picture track among many sound tracks."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sounds = [out.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(count)]
        for i, frame in enumerate(frames()):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = i, Fraction(1, 8)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 80), np.int16), "s16", "mono")
        silence.sample_rate = 8000
        for sound in sounds:
            out.mux(sound.encode(silence))
            out.mux(sound.encode(None))
    return buffer.getvalue()


def audio_only(container: str = "mp4") -> bytes:
    """Sound without a picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream("aac", rate=44_100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 44_100
        out.mux(stream.encode(silence))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def chapters(out: Any, _stream: Any) -> None:
    """Two thousand chapters with long titles."""
    out.set_chapters([
        {"id": i, "start": i, "end": i + 1, "time_base": Fraction(1, 1000),
         "metadata": {"title": "x" * 100}}
        for i in range(2000)
    ])  # fmt: skip


def no_frames() -> bytes:
    """A picture track whose samples are gone."""
    data = video(shown=frames(1))
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    return data[:start] + bytes(end - start) + data[end:]


def negative_times() -> bytes:
    """Time stamps that begin before nought."""
    return video("matroska", times=list(range(-4, 5)))


def text_chunk(size: int) -> bytes:
    """A PNG whose compressed comment unpacks to ``size`` bytes."""
    info = PngInfo()
    info.add_text("Comment", "a" * size, zip=True)
    return image(pnginfo=info)


STILL = Accepted(1, is_image=True, fps=0.0)
DAMAGED = Refused("damaged|cut off|broke|no frames|no picture|0x0 pixels")

CASES: tuple[Case, ...] = (
    # Whole, and odd.
    Case("mp4", video, Accepted()),
    Case("webm-vp9", lambda: video("webm", "libvpx-vp9"), Accepted()),
    Case("mov", lambda: video("mov"), Accepted()),
    Case("avi", lambda: video("avi", "mpeg4"), Accepted()),
    Case("mpegts", lambda: video("mpegts"), Accepted()),
    Case("yuv444p10", lambda: video(pixel_format="yuv444p10le"), Accepted()),
    Case("yuv422p", lambda: video(pixel_format="yuv422p"), Accepted()),
    Case("yuvj420p", lambda: video(pixel_format="yuvj420p"), Accepted()),
    Case("gray", lambda: video(pixel_format="gray"), Accepted()),
    Case("rgb-ffv1", lambda: video("matroska", "ffv1", "bgr0"), Accepted()),
    Case("vp9-alpha", lambda: video("webm", "libvpx-vp9", "yuva420p"), Accepted()),
    Case("prores-alpha", lambda: video("mov", "prores_ks", "yuva444p10le"), Accepted()),
    Case("gray16-png", gray16, STILL),
    Case("pal8-png", lambda: image("P"), STILL),
    Case("bilevel-png", lambda: image("1"), STILL),
    Case("cmyk-jpeg", lambda: image("CMYK", "JPEG"), STILL),
    Case("gray-jpeg", lambda: image("L", "JPEG"), STILL),
    Case("large-jpeg", large_jpeg, Accepted(1, (512, 384), True, 0.0)),
    Case("two-in-one-jpeg", two_in_one, STILL),
    Case("progressive-jpeg", lambda: image(kind="JPEG", progressive=True), STILL),
    Case("alpha-png", lambda: image("RGBA"), STILL),
    Case("alpha-webp", lambda: image("RGBA", "WEBP"), STILL),
    Case("still-gif", lambda: image("P", "GIF"), STILL),
    Case("gif", lambda: animation("GIF", duration=120), Accepted(fps=1000 / 120)),
    Case("webp", lambda: animation("WEBP"), Accepted()),
    Case("instant-gif", lambda: animation("GIF", duration=0), Accepted(fps=10.0)),
    Case("apng", lambda: animation("PNG"), Refused("with 9 frames; .* convert it to GIF")),
    Case("rotated", turned, Accepted(size=(HEIGHT, WIDTH))),
    Case("mirrored", lambda: turned(-1, 0, 0, 1), Accepted()),
    Case("exif-turned-jpeg", lambda: image(kind="JPEG", exif=orientation(6)),
         Accepted(1, (HEIGHT, WIDTH), True, 0.0)),
    Case("exif-turned-webp", lambda: image(kind="WEBP", exif=orientation(8)),
         Accepted(1, (HEIGHT, WIDTH), True, 0.0)),
    Case("exif-nonsense", lambda: jpeg_with(0xE1, b"Exif\0\0MM\0*" + b"\xff" * 60), STILL),
    Case("variable-rate", lambda: video(times=[0, 1, 2, 3, 4, 8, 9, 15, 16]),
         Accepted(9, fps=4.0)),
    Case("negative-times", negative_times, Accepted()),
    Case("times-go-back", lambda: video("mpegts", times=list(range(160, 169))) + video("mpegts"),
         Accepted(18)),
    Case("one-frame", lambda: video(shown=frames(1)), Accepted(1)),
    Case("one-pixel", lambda: write_png(np.zeros((1, 1, 3), np.uint8)),
         Accepted(1, (1, 1), True, 0.0)),
    Case("many-streams", lambda: many_streams(60), Accepted()),
    # Metadata.
    Case("huge-exif", lambda: jpeg_with(0xE1, b"Exif\0\0" + bytes(60_000), 20), STILL),
    Case("huge-icc", lambda: image(kind="JPEG", icc_profile=b"\xff" * 900_000), STILL),
    Case("icc-png-bomb",
         lambda: png(extra=png_chunk(b"iCCP", b"x\0\0" + zip_bomb(64 << 20))),
         Refused("damaged|cannot be decoded")),
    Case("text-bomb", lambda: png(extra=png_chunk(b"zTXt", b"a\0\0" + zip_bomb(256 << 20))),
         Refused("damaged|broke|cannot be decoded")),
    Case("long-comment", lambda: text_chunk(60_000), STILL),
    Case("long-tags", lambda: video(metadata={"title": "x" * 400_000, "comment": "\0\xff../" * 9}),
         Accepted()),
    Case("chapters", lambda: video("matroska", prepare=chapters), Accepted()),
    Case("id3-in-front", lambda: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(100) + video(),
         Refused("sound file")),
    # Bombs.
    Case("png-claims-10-gib", lambda: png(60_000, 60_000, data=zip_bomb(1000)), Refused("pixels")),
    Case("png-2-billion", lambda: png(2**31 - 1, 2**31 - 1, data=b""), Refused("pixels|damaged")),
    Case("png-no-extent", lambda: png(0, 0, data=b""), Refused("pixels|damaged")),
    Case("png-bomb", lambda: png(40_000, 20_000, data=zip_bomb(64 << 20)), Refused("pixels")),
    Case("png-too-much-data", lambda: png(data=zip_bomb(64 << 20)), STILL),
    Case("jpeg-claims-65535",
         lambda: patched(image(kind="JPEG"), b"\xff\xc0", 3, struct.pack(">HH", 65_500, 65_500)),
         Refused("pixels")),
    Case("gif-huge-screen", gif_of_huge_screen, Refused("pixels")),
    Case("mp4-claims-16k",
         lambda: patched(video(), b"avc1", 24, struct.pack(">HH", 16_384, 16_384)), Accepted()),
    Case("too-long", lambda: video(shown=frames(2), times=[0, 800]), Refused("longer than 20 s")),
    Case("hours-by-header",
         lambda: patched(video(), b"mdhd", 16, struct.pack(">I", 2**31 - 1)), Accepted()),
    Case("too-many-frames", lambda: video(shown=frames(61)), Refused("more than 60 frames")),
    Case("too-many-frames-untold", lambda: video("mpegts", shown=frames(61)),
         Refused("more than 60 frames")),
    Case("gif-too-many", lambda: animation("GIF", 61), Refused("more than 60 frames")),
    Case("gif-too-long", lambda: animation("GIF", 2, duration=60_000), Refused("longer than 20 s")),
    Case("too-large", lambda: write_mp4(Clip(frames(2, 1024, 600), 8.0)), Refused("pixels")),
    Case("too-much-memory", lambda: write_mp4(Clip(frames(50, 512, 500), 8.0)),
         Refused("MiB decoded")),
    Case("too-many-bytes", lambda: image() + bytes(3 << 20), Refused("MiB at most")),
    Case("boxes-in-boxes", endless_boxes, DAMAGED),
    # Broken.
    Case("nothing", lambda: b"", Refused("0 bytes")),
    Case("truncated-png", lambda: image()[:60], DAMAGED),
    Case("truncated-jpeg", lambda: image(kind="JPEG")[:200], DAMAGED),
    Case("truncated-webp", lambda: animation("WEBP")[:300], DAMAGED),
    Case("truncated-mp4", lambda: video()[:200], DAMAGED),
    Case("truncated-matroska", lambda: video("matroska")[:100], DAMAGED),
    Case("half-a-stream", lambda: video("mpegts")[: 188 * 3], DAMAGED),
    Case("zero-frames", no_frames, DAMAGED),
    Case("audio-only", audio_only, Refused("no picture track")),
    Case("audio-only-matroska", lambda: audio_only("matroska"), Refused("no picture track")),
    Case("size-changes", lambda: video("mpegts") + video("mpegts", shown=frames(9, 96, 64)),
         Refused("changes its size")),
    # Something else.
    Case("text", lambda: b"hello\n" * 100, Refused("a text file")),
    Case("playlist", lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", Refused("a text file")),
    Case("concat", lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", Refused("a text file")),
    Case("svg", lambda: b"<svg xmlns='x'><image href='file:///etc/passwd'/></svg>",
         Refused("a text file|unknown type")),
    Case("pdf", lambda: b"%PDF-1.7 ...", Refused("a PDF")),
    Case("zip", lambda: b"PK\x03\x04" + bytes(100), Refused("unknown type|text")),
    Case("elf", lambda: b"\x7fELF\x02\x01\x01" + bytes(range(256)), Refused("unknown type")),
    Case("heic", lambda: b"\0\0\0\x20ftypheic" + bytes(100), Refused("HEIC")),
    Case("wav", lambda: b"RIFF\0\0\0\0WAVEfmt ", Refused("sound file")),
    Case("png-head-mp4-body", lambda: b"\x89PNG\r\n\x1a\n" + video()[8:], DAMAGED),
    Case("mp4-head-png-body", lambda: b"\0\0\0\x20ftypisom" + image(), DAMAGED),
    Case("png-then-mp4", lambda: image() + video(), STILL),
    Case("webp-by-writer", lambda: write_webp_animation(Clip(frames(), 8.0)), Accepted()),
)  # fmt: skip
