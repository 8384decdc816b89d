"""``omnireel generate``: one video from words, pictures, clips and elements."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from omnireel.api.v1 import generation_pb2, video_pb2
from omnireel.cli import parsing
from omnireel.cli.connection import AddressOption, ApiKeyOption, open_client
from omnireel.cli.printing import out
from omnireel.cli.showing import as_json, summary
from omnireel.client import OmnireelClient, ProgressBar, VideoOptions
from omnireel.errors import InvalidInput
from omnireel.types import VideoFormat


@dataclass(frozen=True)
class FormatWish:
    """The parts of a format that were asked for; the rest is the model's default."""

    size: tuple[int, int] | None = None
    num_frames: int | None = None
    fps: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return self == FormatWish()

    def complete(self, default: generation_pb2.VideoFormat) -> VideoFormat:
        """Fill the gaps from the server's default format."""
        width, height = self.size or (default.width, default.height)
        return VideoFormat(
            width=width,
            height=height,
            num_frames=default.num_frames if self.num_frames is None else self.num_frames,
            fps=default.fps if self.fps is None else self.fps,
        )


def generate(
    prompt: Annotated[str, typer.Argument(help="The prompt; refer to media as @Name.")],
    image: Annotated[list[str], typer.Option(help="NAME=PATH of an image.")] = [],  # noqa: B006
    video: Annotated[list[str], typer.Option(help="NAME=PATH of a video.")] = [],  # noqa: B006
    element: Annotated[
        list[str], typer.Option(help="NAME=PATH,PATH of several images of one subject.")
    ] = [],  # noqa: B006
    role: Annotated[
        list[str],
        typer.Option(
            help="NAME=ROLE of an image or video: reference (default), source (the video to "
            "edit), first_frame, last_frame, storyboard, motion, camera, annotation."
        ),
    ] = [],  # noqa: B006
    describe: Annotated[
        list[str],
        typer.Option(
            help="NAME=WORDS that describe an element to an enhancer with a language model; the "
            "tiny models look at its images alone."
        ),
    ] = [],  # noqa: B006
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of the base video.")] = None,
    frames: Annotated[int | None, typer.Option(help="Number of frames (1 + 4 k).")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second.")] = None,
    aspect: Annotated[str, typer.Option(help="Aspect ratio instead of --size, e.g. 16:9.")] = "",
    duration: Annotated[float, typer.Option(help="Length in seconds instead of --frames.")] = 0.0,
    steps: Annotated[int, typer.Option(help="Denoising steps; 0: the model's default.")] = 0,
    upscale_steps: Annotated[
        int, typer.Option(help="Steps of the super-resolver; 0: its default.")
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(help="Seed; the same seed gives the same video.")
    ] = None,
    guidance: Annotated[
        list[str], typer.Option(help="Guidance scale as KIND=SCALE; kinds: text, image, video.")
    ] = [],  # noqa: B006
    enhance: Annotated[
        bool | None,
        typer.Option("--enhance/--no-enhance", help="Rewrite the prompt first, or not."),
    ] = None,
    upscale: Annotated[
        bool | None,
        typer.Option("--upscale/--no-upscale", help="Run super-resolution on the result, or not."),
    ] = None,
    priority: Annotated[int, typer.Option(help="Priority; higher runs earlier.")] = 0,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which an unfinished job fails.")
    ] = None,
    output: Annotated[Path, typer.Option("--out", help="The .mp4 file to write.")] = Path(
        "video.mp4"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print the video resource as JSON.")] = False,
    address: AddressOption = None,
    api_key: ApiKeyOption = None,
) -> None:
    """Make a video and download it. Ctrl-C cancels the job.

    Example: omnireel generate "@Girl rides a bike" --element Girl=a.png,b.png --out girl.mp4
    """
    if output.suffix.lower() != ".mp4":
        raise InvalidInput(f"{output} does not end in .mp4", field="--out")
    request = _Media.read(image, video, element, role, describe)
    wish = FormatWish(parsing.size(size) if size else None, frames, fps)
    if not wish.is_empty and (aspect or duration):
        raise InvalidInput(
            "use --size, --frames and --fps, or --aspect and --duration, not both",
            field="--aspect",
        )
    scales = parsing.named_numbers(guidance, "--guidance", "--guidance text=5")
    with open_client(address, api_key) as client:
        exact = None if wish.is_empty else wish.complete(client.capabilities().defaults.format)
        options = VideoOptions(
            format=exact,
            aspect_ratio=aspect,
            duration_s=duration,
            seed=seed,
            num_inference_steps=steps,
            num_upscale_steps=upscale_steps,
            guidance=scales,
            enhance=enhance,
            upscale=upscale,
            priority=priority,
            timeout_s=timeout,
        )
        made = _run(client, prompt, request, options, output)
    if json:
        out().print(as_json(made))
        return
    out().print(summary(made))
    out().print(f"wrote {output}", style="green")


@dataclass(frozen=True)
class _Media:
    images: dict[str, Path] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    elements: dict[str, list[Path]] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        images: list[str],
        videos: list[str],
        elements: list[str],
        roles: list[str],
        descriptions: list[str],
    ) -> _Media:
        values, paths = parsing.named_values, parsing.named_paths
        return cls(
            images=paths(images, "--image", "--image Cat=cat.png"),
            videos=paths(videos, "--video", "--video Clip=clip.mp4"),
            elements=parsing.named_path_lists(elements, "--element", "--element Girl=a.png,b.png"),
            roles=values(roles, "--role", "--role Clip=source"),
            descriptions=values(descriptions, "--describe", "--describe 'Girl=a girl in red'"),
        )


def _run(
    client: OmnireelClient, prompt: str, media: _Media, options: VideoOptions, output: Path
) -> video_pb2.Video:
    with ProgressBar() as bar:
        return client.generate(
            prompt,
            images=media.images,
            videos=media.videos,
            elements=media.elements,
            roles=media.roles,
            descriptions=media.descriptions,
            options=options,
            out=output,
            on_progress=bar,
        )
