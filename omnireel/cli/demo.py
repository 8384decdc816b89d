"""``omnireel demo``: four videos from the real services, and pictures of them.

1. Start the embedded stack in ``<out>/.stack``, unless another gateway is named.
2. For each of the four requests: write the inputs, send them through the public API, download the
   base and the super-resolved video, and draw a contact sheet.
3. Stop the stack, draw all four together, and print what was made.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.text import Text

from omnireel.api.v1 import progress_pb2, video_pb2
from omnireel.cli.connection import ApiKeyOption, checked_api_key
from omnireel.cli.demo_pictures import DemoResult, animation, overview, result_sheet
from omnireel.cli.demo_requests import DemoRequest, demo_requests
from omnireel.cli.demo_stack import DemoStack, StackPlan
from omnireel.cli.printing import err
from omnireel.cli.showing import as_json
from omnireel.client import OmnireelClient, ProgressBar, VideoOptions, tls_from_environment
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.files import atomic_write, disk_errors
from omnireel.media import DecodeLimits, read_clip, write_png, write_webp_animation
from omnireel.types import VideoFormat

STACK_FOLDER = ".stack"


@dataclass(frozen=True)
class DemoConfig:
    """Where the results go and who makes them.

    ``address`` names a gateway; empty, the demo starts a stack of its own with ``stack_command``.
    Request number i of the four has the seed ``seed + i``.
    """

    out: Path
    seed: int = 0
    address: str = ""
    api_key: str | None = None
    keep_running: bool = False
    stack_command: tuple[str, ...] = (sys.executable, "-m", "omnireel.cli.main")

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**62:
            raise InvalidInput(f"{self.seed} is out of range; use 0 .. 2^62 - 1", field="--seed")
        if self.address and self.keep_running:
            raise InvalidInput(
                "keeps what the demo starts, but with --address it starts nothing; leave one "
                "of the two out",
                field="--keep-running",
            )


def demo(
    output: Annotated[
        Path, typer.Option("--out", help="Folder for the results; made when missing.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same videos.")] = 0,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Leave the services running afterwards.")
    ] = False,
    address: Annotated[
        str, typer.Option(help="Use this gateway (host:port) and start nothing.")
    ] = "",
    api_key: ApiKeyOption = None,
) -> None:
    """Start the services, make four videos, stop them; the last line is the folder.

    Example: omnireel demo --out demo
    """
    key = checked_api_key(api_key)
    run_demo(DemoConfig(output, seed, address, key, keep_running))


def run_demo(config: DemoConfig) -> tuple[DemoResult, ...]:
    """Make the four videos and print what there is to look at.

    Raises:
        InvalidInput: ``out`` cannot be a folder.
        FailedPrecondition: the services do not start, or the gateway lacks one of the stages.
        ResourceExhausted: the disk is full.

    """
    _open_folder(config.out)
    begun = time.monotonic()
    with _interrupts(), ExitStack() as cleanup:
        address, api_key = config.address, config.api_key
        if not address:
            err().print("starting the services", style="bold")
            plan = StackPlan(
                config.out / STACK_FOLDER, _say, config.keep_running, config.stack_command
            )
            stack = cleanup.enter_context(DemoStack(plan))
            address, api_key = stack.address, stack.api_key
        started_s = time.monotonic() - begun
        credentials = tls_from_environment() if config.address else None
        with OmnireelClient(address, credentials=credentials, api_key=api_key) as client:
            results = _make_all(client, config)
    _write_together(results, config.out)
    total_s = time.monotonic() - begun
    _print_summary(results, config.out, started_s, total_s)
    return results


def _make_all(client: OmnireelClient, config: DemoConfig) -> tuple[DemoResult, ...]:
    fmt, input_fmt = _formats(client)
    requests = demo_requests(input_fmt)
    results = []
    for number, request in enumerate(requests):
        title = f"{number + 1}/{len(requests)} {request.title}: "
        err().print(Text.assemble((title, "bold"), request.prompt))
        options = VideoOptions(format=fmt, seed=config.seed + number, enhance=True, upscale=True)
        results.append(_make(client, request, options, config.out / request.slug))
    return tuple(results)


def _formats(client: OmnireelClient) -> tuple[VideoFormat, VideoFormat]:
    """The format to ask for, and that of the inputs: as large as the finished videos."""
    can = client.capabilities()
    if not (can.can_enhance and can.upscale_factor):
        missing = "super-resolver" if can.can_enhance else "prompt enhancer"
        raise FailedPrecondition(
            f"{client.address} does not serve a {missing}; the demo shows every stage, so leave "
            "--address out to start a whole stack"
        )
    default = can.defaults.format
    fmt = VideoFormat(default.width, default.height, default.num_frames, default.fps)
    return fmt, replace(
        fmt, width=fmt.width * can.upscale_factor, height=fmt.height * can.upscale_factor
    )


def _make(
    client: OmnireelClient, request: DemoRequest, options: VideoOptions, folder: Path
) -> DemoResult:
    """One request from its inputs to its files."""
    _open_folder(folder)
    begun = time.monotonic()
    inputs = request.save_inputs(folder)
    with ProgressBar() as bar:
        video = client.generate(
            request.prompt,
            images=inputs.images,
            videos=inputs.videos,
            elements=inputs.elements,
            roles=request.roles,
            options=options,
            on_progress=bar,
        )
    seconds = time.monotonic() - begun
    outputs = video.outputs
    base = read_clip(client.download(outputs.base, folder / "base.mp4"), DecodeLimits())
    upscaled = read_clip(client.download(outputs.upscaled, folder / "upscaled.mp4"), DecodeLimits())
    result = DemoResult(request, _enhanced(video), base, upscaled, seconds)
    _write_text(folder / "prompt.txt", request.prompt)
    _write_text(folder / "enhanced_prompt.txt", result.enhanced)
    _write_text(folder / "video.json", as_json(video))
    write_png(result_sheet(result), folder / "sheet.png")
    _say(f"{seconds:.1f} s ({_stages(video)}); {result.enhanced}")
    for warning in video.warnings:
        _say(f"warning: {warning.message}")
    return result


def _enhanced(video: video_pb2.Video) -> str:
    enhancement = video.outputs.enhancement
    if enhancement.fallback_reason:
        return f"{enhancement.text} (not rewritten: {enhancement.fallback_reason})"
    return enhancement.text


def _stages(video: video_pb2.Video) -> str:
    skipped = (progress_pb2.STAGE_QUEUED, progress_pb2.STAGE_FINISHING)
    return ", ".join(
        f"{progress_pb2.Stage.Name(t.stage).removeprefix('STAGE_').lower()} "
        f"{t.elapsed.ToMilliseconds() / 1000:.1f} s"
        for t in video.timings
        if t.stage not in skipped
    )


def _write_together(results: Sequence[DemoResult], folder: Path) -> None:
    write_png(overview(results), folder / "demo.png")
    write_webp_animation(animation(results), folder / "demo.webp")


def _print_summary(
    results: Sequence[DemoResult], folder: Path, started_s: float, total_s: float
) -> None:
    for result in results:
        typer.echo(f"{result.request.title}: {result.seconds:.1f} s")
        made = folder / result.request.slug
        for path in sorted(p for p in made.iterdir() if not p.name.startswith(".")):
            typer.echo(f"  {path}")
    typer.echo("all together:")
    typer.echo(f"  {folder / 'demo.png'}\n  {folder / 'demo.webp'}")
    each_s = sum(result.seconds for result in results) / len(results)
    typer.echo(
        f"{len(results)} videos in {total_s:.1f} s: {each_s:.1f} s each, and {started_s:.1f} s "
        "until the services were ready"
    )
    typer.echo(str(folder))


def _open_folder(folder: Path) -> None:
    """Make ``folder`` and see that files can be put there, before long work begins."""
    try:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InvalidInput(
            f"cannot use {folder} as a folder ({error.strerror}); choose another", field="--out"
        ) from error


def _write_text(path: Path, text: str) -> None:
    atomic_write(path, f"{text}\n".encode())


def _say(line: str) -> None:
    err().print(Text(f"  {line}", style="dim"))


@contextmanager
def _interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does, so that the services are stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
