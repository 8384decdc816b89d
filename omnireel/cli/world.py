"""``omnireel world``: look at the procedural world and its tasks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from omnireel.errors import InvalidInput
from omnireel.files import atomic_write
from omnireel.media import contact_sheet, write_mp4, write_png
from omnireel.media.sheet import Row
from omnireel.types import Clip, VideoFormat
from omnireel.world.holdout import Split
from omnireel.world.tasks import CAPABILITIES, TaskSample, sample_task

app = typer.Typer(name="world", help="Render the procedural world.", no_args_is_help=True)

Count = Annotated[int, typer.Option(min=1, max=1000, help="Samples per capability.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the first sample; each next one adds 1.")]
Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")]
Frames = Annotated[int, typer.Option(min=1, max=1000, help="Frames per clip.")]
Fps = Annotated[float, typer.Option(min=1.0, max=120.0, help="Frames per second.")]
HeldOut = Annotated[
    bool, typer.Option("--held-out", help="Render only combinations that training never shows.")
]


@app.command("render")
def render(
    out: Annotated[Path, typer.Option(help="Folder to write; one folder per sample in it.")],
    capability: Annotated[str, typer.Option(help="Row of the capability table.")] = "C20",
    count: Count = 4,
    seed: Seed = 0,
    size: Size = "128x128",
    frames: Frames = 17,
    fps: Fps = 8.0,
    held_out: HeldOut = False,
) -> None:
    """Write tasks as files: target.mp4, every condition, prompt.txt, and one sheet.png.

    Example: omnireel world render --capability C8 --count 4 --out /tmp/c8
    """
    fmt = VideoFormat(*parse_size(size), frames, fps)
    split: Split = "held_out" if held_out else "train"
    rows: list[Row] = []
    for sample_seed in range(seed, seed + count):
        sample = sample_task(capability, sample_seed, fmt, split=split)
        folder = out / f"{capability}_{sample_seed:06d}"
        save_sample(sample, folder)
        rows += sheet_rows(sample)
        typer.echo(f"{folder}: {sample.prompt.text}")
    write_png(contact_sheet(rows, title=f"{capability}, {split}"), out / "sheet.png")
    typer.echo(str(out / "sheet.png"))


@app.command("sheet")
def sheet(
    out: Annotated[Path, typer.Option(help="PNG file to write.")],
    capability: Annotated[
        list[str] | None, typer.Option(help="Rows of the table (repeatable); default: all.")
    ] = None,
    count: Count = 1,
    seed: Seed = 0,
    size: Size = "128x128",
    frames: Frames = 17,
    fps: Fps = 8.0,
    held_out: HeldOut = False,
) -> None:
    """Draw tasks on one contact sheet. Example: omnireel world sheet --out /tmp/world.png."""
    fmt = VideoFormat(*parse_size(size), frames, fps)
    split: Split = "held_out" if held_out else "train"
    rows = [
        row
        for name in capability or CAPABILITIES
        for sample_seed in range(seed, seed + count)
        for row in sheet_rows(sample_task(name, sample_seed, fmt, split=split))
    ]
    write_png(contact_sheet(rows), out)
    typer.echo(str(out))


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from "128x96".

    Raises:
        InvalidInput: for anything else.

    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match:
        raise InvalidInput(f"--size {text!r} is not WIDTHxHEIGHT, e.g. 128x96", field="size")
    return int(match[1]), int(match[2])


def save_sample(sample: TaskSample, folder: Path) -> None:
    """Write one sample: media as mp4 and PNG, prompts and roles as text."""
    folder.mkdir(parents=True, exist_ok=True)
    write_mp4(sample.target, folder / "target.mp4")
    for name, clips in sample.media.items():
        for i, clip in enumerate(clips, start=1):
            stem = name if len(clips) == 1 else f"{name}_{i}"
            if len(clip.frames_THWC) == 1:
                write_png(clip, folder / f"{stem}.png")
            else:
                write_mp4(clip, folder / f"{stem}.mp4")
    for name, mask_THW in (("edit_mask", sample.edit_mask_THW), ("matte", sample.matte_THW)):
        if mask_THW is not None:
            mask = np.repeat(mask_THW[..., None], 3, axis=-1).astype(np.uint8) * 255
            write_mp4(Clip(mask, fps=sample.target.fps), folder / f"{name}.mp4")
    lines = [f"prompt: {sample.prompt.text}", f"vague: {sample.vague_prompt.text}"]
    if sample.solution is not None:
        lines.append(f"solution: {sample.solution.text}")
    lines += [f"input @{i.name}: {i.kind.value}, {i.role.value}" for i in sample.prompt.inputs]
    lines += [
        f"element @{e.name}: {len(sample.media[e.name])} images" for e in sample.prompt.elements
    ]
    atomic_write(folder / "prompt.txt", "\n".join([*lines, ""]).encode())


def sheet_rows(sample: TaskSample) -> list[Row]:
    """Conditions (if any) and target of a sample as rows of a contact sheet."""
    rows: list[Row] = []
    stills = [c.frames_THWC[0] for clips in sample.media.values() for c in clips if _still(c)]
    if stills:
        names = [n for n, clips in sample.media.items() if _still(clips[0])]
        rows.append((f"{sample.capability} given: {', '.join(f'@{n}' for n in names)}", stills))
    for name, clips in sample.media.items():
        if not _still(clips[0]):
            rows.append((f"{sample.capability} given: @{name}", clips[0].frames_THWC))
    label = f"{sample.capability} {sample.prompt.text}\nvague: {sample.vague_prompt.text}"
    return [*rows, (label, sample.target.frames_THWC)]


def _still(clip: Clip) -> bool:
    return len(clip.frames_THWC) == 1
