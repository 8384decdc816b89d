"""Small real footage for the data engine: moving textures in real codecs, and ways to break it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from omnireel.types import Frames

SIZE = (96, 128)


def texture(seed: int, count: int = 24, size: tuple[int, int] = SIZE, speed: float = 2.0) -> Frames:
    """A coloured disc that moves over a still, rough ground: ``(count, H, W, 3)``."""
    rng = np.random.default_rng(seed)
    height, width = size
    ground = np.repeat(np.repeat(rng.integers(0, 255, (12, 16, 3)), 8, 0), 8, 1)
    ground = np.resize(ground, (height, width, 3)).astype(np.float32) * 0.5 + rng.integers(0, 120)
    y, x = np.mgrid[:height, :width]
    colour = rng.integers(0, 255, 3)
    frames = []
    for t in range(count):
        cx, cy = (20 + speed * t) % width, height / 2 + 12 * np.sin(t / 4 + seed)
        disc = np.clip(18 - np.hypot(x - cx, y - cy), 0, 1)[..., None]
        frames.append(ground * (1 - disc) + colour * disc)
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def write_video(
    path: Path,
    frames: Frames,
    fps: int = 12,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    tone: bool = False,
) -> Path:
    """Encode frames, with a second of tone for each second if asked for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        stream.codec_context.thread_count = 1
        sound = container.add_stream("aac", rate=16000, layout="mono") if tone else None
        for i, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            picture.pts, picture.time_base = i, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if sound is not None:
            _tone(container, sound, len(frames) / fps)
    return path


def _tone(container: av.container.OutputContainer, sound: av.AudioStream, seconds: float) -> None:
    wave = np.sin(np.arange(int(seconds * 16000)) * 0.17).astype(np.float32)[None]
    for start in range(0, wave.shape[1] - 1023, 1024):
        block = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(wave[:, start : start + 1024]), "fltp", "mono"
        )
        block.sample_rate, block.pts, block.time_base = 16000, start, Fraction(1, 16000)
        container.mux(sound.encode(block))
    container.mux(sound.encode(None))


def damage(path: Path, source: Path, *, keep: float = 1.0, noise: bool = False) -> Path:
    """A copy of ``source`` that is cut off, or has random bytes in its middle."""
    data = bytearray(source.read_bytes())
    data = data[: int(len(data) * keep)]
    if noise:
        middle, few = len(data) // 2, len(data) // 8
        data[middle : middle + few] = np.random.default_rng(0).bytes(few)
    path.write_bytes(bytes(data))
    return path


POLICY = "unsafe: off\nbase: empty\nchecks:\n  readable: on\n  resolution: {low: 64}\n"
"""Fits small footage; further checks are named by the test that wants them."""


def mixed_folder(folder: Path) -> Path:
    """Good clips, shots, a GIF, an image, copies and broken files, with captions for some."""
    from PIL import Image

    for seed in range(3):
        write_video(folder / f"good{seed}.mp4", texture(seed), tone=seed == 0)
        (folder / f"good{seed}.txt").write_text(f"disc {seed} moves\n")
    shots = np.concatenate([texture(seed, 30) for seed in (7, 8, 9)])
    write_video(folder / "sub/shots.mkv", shots)
    write_video(folder / "anim.gif", texture(11, 12), codec="gif")
    Image.fromarray(texture(12, 1)[0]).save(folder / "still.png")
    (folder / "copy.mp4").write_bytes((folder / "good1.mp4").read_bytes())
    (folder / "text.mp4").write_text("this is no video\n")
    (folder / "empty.mov").touch()
    damage(folder / "cut.mp4", folder / "good2.mp4", keep=0.5)
    Image.fromarray(texture(13, 1, (32, 32))[0]).save(folder / "tiny.png")
    (folder / "notes.md").write_text("not media")
    return folder
