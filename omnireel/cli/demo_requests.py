"""The four requests of the demo: words as a person writes them, and inputs to go with them.

The inputs come from the procedural world with fixed scenes, so that every run asks for the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from omnireel.media import write_mp4, write_png
from omnireel.types import Clip, Role, VideoFormat
from omnireel.world.render import render_clip, render_image
from omnireel.world.scene import Body, Camera, Material, Motion, Scene
from omnireel.world.staging import VIEW_HEIGHT_M, fit_pace

VIEWS_RAD = (0.0, 0.9, -0.9)
"""From where the pictures of an element show it: front, right and left."""


@dataclass(frozen=True, eq=False)
class DemoRequest:
    """One request: ``media`` by name; what has several clips is an element."""

    slug: str
    title: str
    prompt: str
    media: Mapping[str, tuple[Clip, ...]] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)

    def save_inputs(self, folder: Path) -> SavedInputs:
        """Write the inputs as PNG and MP4 files into ``folder``."""
        saved = SavedInputs()
        for name, clips in self.media.items():
            paths = [
                _save(clip, folder / _stem(name, number, len(clips)))
                for number, clip in enumerate(clips, start=1)
            ]
            if len(paths) > 1:
                saved.elements[name] = paths
            elif paths[0].suffix == ".png":
                saved.images[name] = paths[0]
            else:
                saved.videos[name] = paths[0]
        return saved


@dataclass(frozen=True)
class SavedInputs:
    """Files of inputs by name, in the shape that the client takes."""

    images: dict[str, Path] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    elements: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def paths(self) -> Iterator[Path]:
        """Every file."""
        yield from (*self.images.values(), *self.videos.values())
        for paths in self.elements.values():
            yield from paths


def demo_requests(fmt: VideoFormat) -> tuple[DemoRequest, ...]:
    """The four; given videos have the format ``fmt``, given images its short side."""
    return (
        DemoRequest("1_text_to_video", "text to video", "a red ball rolling right on a meadow"),
        _element(fmt),
        _edit(fmt),
        _first_frame(fmt),
    )


def _element(fmt: VideoFormat) -> DemoRequest:
    cat = Body(
        "a",
        "cat",
        Material("orange"),
        size=0.48 * VIEW_HEIGHT_M,
        skin="white",
        wears=(("scarf", "blue"),),
    )
    side = min(fmt.width, fmt.height)
    views = tuple(
        Clip(
            render_image(
                Scene(
                    (cat,),
                    place="studio",
                    camera=Camera(azimuth=azimuth, elevation=0.2, target=(0.0, 0.68, 0.0)),
                    duration_s=fmt.duration_s,
                ),
                side,
                side,
                fmt.duration_s / 2,
            ),
            fps=fmt.fps,
        )
        for azimuth in VIEWS_RAD
    )
    return DemoRequest(
        "2_element",
        "a character of three images in a new scene",
        "@Hero jumping, beach",
        {"Hero": views},
    )


def _edit(fmt: VideoFormat) -> DemoRequest:
    ball = Body(
        "a",
        "ball",
        Material("red"),
        size=0.37 * VIEW_HEIGHT_M,
        position=(0.0, 0.0, -0.3),
        motion=Motion("jump"),
    )
    clip = Clip(render_clip(_scene(ball, "snowfield", fmt), fmt), fps=fmt.fps)
    return DemoRequest(
        "3_edit",
        "an edit of a given video",
        "make the ball green, keep everything else",
        {"Video_1": (clip,)},
        {"Video_1": Role.SOURCE},
    )


def _first_frame(fmt: VideoFormat) -> DemoRequest:
    bunny = Body(
        "a",
        "bunny",
        Material("blue"),
        size=0.42 * VIEW_HEIGHT_M,
        skin="white",
        motion=Motion("move_left"),
    )
    scene = _scene(fit_pace(bunny, fmt.duration_s), "desert", fmt)
    first = render_clip(scene, replace(fmt, num_frames=1))
    return DemoRequest(
        "4_first_frame",
        "a first frame brought to life",
        "animate @Image_1, bunny walking left",
        {"Image_1": (Clip(first, fps=fmt.fps),)},
        {"Image_1": Role.FIRST_FRAME},
    )


def _scene(body: Body, place: str, fmt: VideoFormat) -> Scene:
    return Scene((body,), place=place, seed=7, duration_s=fmt.duration_s)


def _stem(name: str, number: int, count: int) -> str:
    return f"input_{name}" if count == 1 else f"input_{name}_{number}"


def _save(clip: Clip, stem: Path) -> Path:
    if len(clip.frames_THWC) == 1:
        path = stem.with_name(stem.name + ".png")
        write_png(clip, path)
    else:
        path = stem.with_name(stem.name + ".mp4")
        write_mp4(clip, path)
    return path
