"""What the demo made, as pictures: a contact sheet for each video, and one of all four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnireel.cli.demo_requests import DemoRequest
from omnireel.media import SheetStyle, contact_sheet, resample, resize
from omnireel.media.sheet import Row
from omnireel.types import Clip, Frames

MOMENTS = 5
"""Frames of a clip that a sheet shows, evenly spread in time."""

SHEET = SheetStyle(columns=MOMENTS, cell_height=192)
OVERVIEW = SheetStyle(columns=9, cell_height=144)
CARD = SheetStyle(columns=1, cell_height=256, margin=10, min_width=256, font_size=15)

_PAGE = np.array(SHEET.background, np.uint8)
_ARROW = np.array((150, 147, 142), np.uint8)


@dataclass(frozen=True, eq=False)
class DemoResult:
    """One finished request. ``enhanced`` is the prompt that the generator was given."""

    request: DemoRequest
    enhanced: str
    base: Clip
    upscaled: Clip
    seconds: float


def result_sheet(result: DemoResult) -> Frames:
    """Inputs, prompts, base frames and super-resolved frames of one video, (1, H, W, 3)."""
    request = result.request
    rows: list[Row] = []
    for name, clips in request.media.items():
        role = request.roles[name].replace("_", " ") if name in request.roles else "element"
        given = [c.frames_THWC[0] for c in clips] if len(clips) > 1 else clips[0].frames_THWC
        rows.append((f"given: @{name} ({role})", given))
    prompts = f"prompt: {request.prompt}\nenhanced: {result.enhanced}"
    rows += [
        (f"{prompts}\ngenerated, {_size(result.base)}", result.base.frames_THWC),
        (f"super-resolved, {_size(result.upscaled)}", result.upscaled.frames_THWC),
    ]
    return contact_sheet(rows, title=f"Omnireel: {request.title}", style=SHEET)


def overview(results: Sequence[DemoResult]) -> Frames:
    """A row for each video: what was given, an arrow, what came out; (1, H, W, 3)."""
    rows: list[Row] = []
    for result in results:
        made = [*result.upscaled.frames_THWC[_moments(result.upscaled, MOMENTS)]]
        given = _given(result.request)
        cells = [*given, _arrow(made[0].shape[0]), *made] if given else made
        rows.append((f"{result.request.prompt}\n{result.request.title}", cells))
    return contact_sheet(rows, style=OVERVIEW)


def animation(results: Sequence[DemoResult]) -> Clip:
    """All videos side by side, each under its prompt, as one clip."""
    num_frames = max(len(result.upscaled.frames_THWC) for result in results)
    cards = [_card(result, num_frames) for result in results]
    height = max(card.shape[1] for card in cards)
    frames_THWC = np.concatenate([_padded(card, height) for card in cards], axis=2)
    return Clip(frames_THWC, fps=results[0].upscaled.fps)


def _given(request: DemoRequest) -> list[Frames]:
    """The inputs as single pictures: all of an element, three moments of a video."""
    pictures: list[Frames] = []
    for clips in request.media.values():
        frames = [c.frames_THWC[0] for c in clips]
        if len(clips) == 1:
            frames = list(clips[0].frames_THWC[_moments(clips[0], 3)])
        pictures += frames
    return pictures


def _moments(clip: Clip, most: int) -> list[int]:
    count = len(clip.frames_THWC)
    return [int(i) for i in np.linspace(0, count - 1, min(count, most)).round()]


def _arrow(side: int) -> Frames:
    """A triangle to the right on the colour of the page, (side, side / 5, 3)."""
    width = max(2, side // 5)
    y, x = np.mgrid[:side, :width]
    inside = (np.abs(y - (side - 1) / 2) <= (width - 1 - x) * 0.55) & (x >= width // 3)
    picture: Frames = np.broadcast_to(_PAGE, (side, width, 3)).copy()
    picture[inside] = _ARROW
    return picture


def _card(result: DemoResult, num_frames: int) -> Frames:
    """A clip under its prompt, (T, H, W, 3); a shorter one holds its last frame."""
    fmt = result.upscaled.format
    white = np.full((fmt.height, fmt.width, 3), 255, np.uint8)
    # Where the two differ the picture shines through: one drawing serves all frames.
    light, dark = (
        contact_sheet([(result.request.prompt, picture)], style=CARD)[0].astype(np.float32)
        for picture in (white, 0 * white)
    )
    alpha = (light - dark) / 255
    rows, columns = (np.flatnonzero(alpha[..., 0].any(axis=axis)) for axis in (1, 0))
    clip = resize(
        resample(result.upscaled, fmt.fps, num_frames),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    )
    cards = np.repeat(dark[None], num_frames, axis=0)
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    cards[:, *window] += alpha[window] * clip.frames_THWC
    return cards.round().astype(np.uint8)


def _padded(card_THWC: Frames, height: int) -> Frames:
    """``card_THWC`` at the bottom of a page of ``height``."""
    frames, card_height, width, _ = card_THWC.shape
    page: Frames = np.broadcast_to(_PAGE, (frames, height, width, 3)).copy()
    page[:, height - card_height :] = card_THWC
    return page


def _size(clip: Clip) -> str:
    fmt = clip.format
    return f"{fmt.width} x {fmt.height}, {fmt.num_frames} frames at {fmt.fps:g} fps"
