from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnireel.errors import InvalidInput
from omnireel.media import DecodeLimits, read_image, write_png, write_webp_animation
from omnireel.types import Clip


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def gradient(width: int = 24, height: int = 16) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 10, y * 15, np.full_like(x, 99)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("image_format", "options", "error"),
    [("PNG", {}, 0), ("WEBP", {"lossless": True}, 0), ("JPEG", {"quality": 95}, 6)],
)
def test_formats(image_format: str, options: dict[str, Any], error: float) -> None:
    clip = read_image(saved(Image.fromarray(gradient()), image_format, **options))
    assert clip.frames_THWC.shape == (1, 16, 24, 3)
    assert np.abs(clip.frames_THWC[0].astype(int) - gradient()).mean() <= error


def test_png_round_trip_of_frames_and_clips() -> None:
    assert (read_image(write_png(gradient())).frames_THWC[0] == gradient()).all()
    clip = Clip(gradient()[None])
    assert write_png(clip) == write_png(clip.frames_THWC) == write_png(gradient())
    with pytest.raises(InvalidInput, match="one frame, not 2"):
        write_png(np.stack([gradient()] * 2))


def test_exif_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise to be seen upright
    clip = read_image(saved(Image.fromarray(gradient()), "PNG", exif=exif))
    assert (clip.frames_THWC[0] == np.rot90(gradient(), -1)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_over_white(mode: str) -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = (10, 10, 10, 255)
    clip = read_image(saved(Image.fromarray(rgba).convert(mode), "PNG"))
    assert (clip.frames_THWC[0, 0] == 10).all()
    assert (clip.frames_THWC[0, 3] == 255).all()


def test_other_modes() -> None:
    deep = np.full((3, 5), 0x8034, np.uint16)
    assert (read_image(saved(Image.fromarray(deep), "PNG")).frames_THWC == 0x80).all()
    cmyk = saved(Image.fromarray(gradient()).convert("CMYK"), "JPEG")
    assert read_image(cmyk).frames_THWC.shape == (1, 16, 24, 3)
    assert read_image(saved(Image.new("1", (3, 3), 1), "PNG")).frames_THWC.min() == 255


def test_a_jpeg_is_its_first_picture() -> None:
    # Cameras put a small copy, a second view or a depth map behind it.
    first, other = Image.fromarray(gradient()), Image.fromarray(255 - gradient())
    data = saved(first, "MPO", save_all=True, append_images=[other], quality=95)
    with Image.open(io.BytesIO(data)) as image:
        assert getattr(image, "n_frames", 1) == 2
    clip = read_image(data)
    assert np.abs(clip.frames_THWC[0].astype(int) - gradient()).mean() <= 6


def png_of_claimed_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("side", [4000, 12_000, 60_000])
def test_bombs_are_refused_by_their_header(side: int) -> None:
    # 60000 x 60000 would take 10 GiB; the 12000 one is beyond Pillow's own warning.
    with pytest.raises(InvalidInput, match="pixels") as caught:
        read_image(png_of_claimed_size(side, side), field="elements[0].uris[1]")
    assert caught.value.violations[0].field == "elements[0].uris[1]"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes"),
        (b"just words", "a text file; an image"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(99), "an MP4 or MOV video; an image"),
        (write_png(gradient())[:60], "damaged or cut off"),
        (png_of_claimed_size(50, 50), "damaged or cut off"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "damaged or cut off"),
        (b"\xff\xd8\xff" + bytes(50), "damaged or cut off"),
        (
            write_webp_animation(Clip(np.stack([gradient(), 255 - gradient()]))),
            "with 2 frames; a still image is needed, or declare it as a video",
        ),
        (
            saved(
                Image.fromarray(gradient()),
                "PNG",
                save_all=True,
                append_images=[Image.fromarray(255 - gradient())],
            ),
            "with 2 frames; a still image is needed, or for a video convert it to GIF",
        ),
    ],
)
def test_wrong_images(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_image(data)


def test_limits() -> None:
    data = write_png(gradient())
    assert read_image(data, DecodeLimits(max_bytes=len(data), max_pixels=24 * 16))
    with pytest.raises(InvalidInput, match="24x16 = 384 pixels; 383 at most"):
        read_image(data, DecodeLimits(max_pixels=383))
    with pytest.raises(ValueError, match="max_frames"):
        DecodeLimits(max_frames=0)


@pytest.mark.parametrize(
    ("max_pixels", "size"),
    [(48 * 32, (48, 32)), (48 * 32 - 1, (24, 16)), (24 * 16, (24, 16)), (24 * 16 - 1, (12, 8))],
)
@pytest.mark.parametrize("image_format", ["JPEG", "MPO"])
def test_a_large_jpeg_is_decoded_smaller(
    max_pixels: int, size: tuple[int, int], image_format: str
) -> None:
    small = Image.fromarray(gradient())
    large = small.resize((48, 32), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(large, image_format, quality=95, exif=exif)
    clip = read_image(data, DecodeLimits(max_pixels=max_pixels))
    expected = np.rot90(np.array(large.resize(size, Image.Resampling.BOX)), -1)
    assert clip.frames_THWC[0].shape == expected.shape
    assert np.abs(clip.frames_THWC[0].astype(int) - expected).mean() < 6
    with pytest.raises(InvalidInput, match="48x32 = 1536 pixels; 1530 at most"):
        read_image(data, DecodeLimits(max_pixels=1530 // 6))


def test_damaged_images_never_crash() -> None:
    rng = np.random.default_rng(0)
    for image_format in ("PNG", "JPEG", "WEBP", "GIF"):
        data = np.frombuffer(saved(Image.fromarray(gradient()), image_format), np.uint8)
        for _ in range(60):
            damaged = data.copy()
            damaged[rng.integers(8, len(data), 6)] = rng.integers(0, 256, 6)
            try:
                clip = read_image(damaged.tobytes(), DecodeLimits(max_pixels=10_000))
            except InvalidInput:
                continue
            assert clip.frames_THWC.shape[3] == 3
