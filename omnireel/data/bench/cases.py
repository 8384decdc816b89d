"""What is measured: for each check, clips that it must reject and ones that it must keep.

A case turns a good clip into one that is bad for one check, or that only looks bad to it. How
strong a fault is, is drawn from a range that a person would call bad. The ranges between what is
plainly good and plainly bad are left out: nobody knows the right answer there. They are stated in
each case's ``mild``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from omnireel.data.bench import corrupt
from omnireel.data.bench.coding import CODECS
from omnireel.data.bench.footage import Footage, good_clip

Rng = np.random.Generator
WORDS = (
    "Breaking news from the harbour", "Subscribe for more", "Chapter two: the long way home",
    "SALE ENDS FRIDAY", "Where did you put it?", "I told you it would rain today",
    "www.example.org", "Episode 14", "Do not try this at home", "Made with love",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Start:
    """What a case may start from: good clip ``number``, and another one of the same size."""

    number: int
    clip: Footage
    other: Footage


@dataclass(frozen=True)
class Case:
    """``make`` draws a strength from its range and applies it; the strength is for the record."""

    name: str
    check: str
    bad: bool
    make: Callable[[Start, Rng], tuple[Footage, float]]
    mild: str = ""
    """What lies between good and bad and is left out."""
    fits: Callable[[int], bool] = lambda number: True
    """Whether it can be made of good clip ``number``."""


def _frames(change: Callable[..., np.ndarray], low: float, high: float, **more: object):  # type: ignore[no-untyped-def]
    """A case's ``make`` by a function of frames and a strength that is drawn log-uniformly."""

    def make(start: Start, rng: Rng) -> tuple[Footage, float]:
        strength = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        return replace(start.clip, frames=change(start.clip.frames, strength, **more)), strength

    return make


def _smeared(start: Start, rng: Rng) -> tuple[Footage, float]:
    length = rng.uniform(9, 22)
    frames = corrupt.smear(start.clip.frames, length, rng.uniform(0, np.pi))
    return replace(start.clip, frames=frames), length


def _shaken(low: float, high: float) -> Callable[[Start, Rng], tuple[Footage, float]]:
    def make(start: Start, rng: Rng) -> tuple[Footage, float]:
        share = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        return replace(start.clip, frames=corrupt.shake(start.clip.frames, rng, share)), share

    return make


def _coded(codec: str, worst: bool) -> Callable[[Start, Rng], tuple[Footage, float]]:
    def make(start: Start, rng: Rng) -> tuple[Footage, float]:
        qualities = CODECS[codec].qualities
        quality = int(rng.choice(qualities[-2:])) if worst else qualities[0]
        return replace(start.clip, codec=codec, quality=quality), float(quality)

    return make


def _exposed(low: float, high: float) -> Callable[[Start, Rng], tuple[Footage, float]]:
    def make(start: Start, rng: Rng) -> tuple[Footage, float]:
        stops = rng.uniform(low, high)
        return replace(start.clip, frames=corrupt.expose(start.clip.frames, stops)), stops

    return make


def _barred(start: Start, rng: Rng) -> tuple[Footage, float]:
    share = rng.uniform(0.08, 0.5)
    frames = corrupt.bars(
        start.clip.frames, share, upright=rng.random() < 0.4, color=int(rng.choice([0, 0, 0, 255]))
    )
    return replace(start.clip, frames=frames), share


def _frozen(start: Start, rng: Rng) -> tuple[Footage, float]:
    count = len(start.clip.frames)
    length = int(count * rng.uniform(0.35, 0.8))
    at = int(rng.integers(1, count - length + 1))
    return replace(start.clip, frames=corrupt.freeze(start.clip.frames, at, length)), length / count


def _stuttering(start: Start, rng: Rng) -> tuple[Footage, float]:
    every = int(rng.integers(2, 5))
    return replace(start.clip, frames=corrupt.stutter(start.clip.frames, every)), every


def _cut(start: Start, rng: Rng) -> tuple[Footage, float]:
    at = int(len(start.clip.frames) * rng.uniform(0.25, 0.75))
    frames = corrupt.join(start.clip.frames, start.other.frames, at)
    return replace(start.clip, frames=frames), at / len(frames)


def _dissolved(start: Start, rng: Rng) -> tuple[Footage, float]:
    at = int(len(start.clip.frames) * rng.uniform(0.4, 0.6))
    length = int(start.clip.fps * rng.uniform(0.3, 0.8))
    frames = corrupt.join(start.clip.frames, start.other.frames, at, length)
    return replace(start.clip, frames=frames), length / start.clip.fps


def _faded(start: Start, rng: Rng) -> tuple[Footage, float]:
    at = int(len(start.clip.frames) * rng.uniform(0.4, 0.6))
    length = int(start.clip.fps * rng.uniform(0.5, 1.0))
    frames = corrupt.through_black(start.clip.frames, start.other.frames, at, length)
    return replace(start.clip, frames=frames), length / start.clip.fps


def _flashed(start: Start, rng: Rng) -> tuple[Footage, float]:
    at = int(len(start.clip.frames) * rng.uniform(0.2, 0.8))
    return replace(start.clip, frames=corrupt.flash(start.clip.frames, at)), 1.0


def _written(start: Start, rng: Rng) -> tuple[Footage, float]:
    height = rng.uniform(0.045, 0.11)
    text = str(rng.choice(WORDS))
    return replace(
        start.clip, frames=corrupt.write_text(start.clip.frames, rng, text, height)
    ), height


def _stamped(start: Start, rng: Rng) -> tuple[Footage, float]:
    opacity = rng.uniform(0.5, 1.0)
    clip = good_clip(start.number, pan=True)
    frames = corrupt.stamp(clip.frames, rng, rng.uniform(0.1, 0.2), opacity)
    return replace(clip, frames=frames), opacity


def _panned(start: Start, rng: Rng) -> tuple[Footage, float]:
    return good_clip(start.number, pan=True), 0.0


def _nothing_moves(start: Start, rng: Rng) -> tuple[Footage, float]:
    return good_clip(start.number, things=0), 0.0


def _shallow(start: Start, rng: Rng) -> tuple[Footage, float]:
    focus = rng.uniform(1.5, 4.0)
    return good_clip(start.number, things=3, focus=focus), focus


def _filmed(number: int) -> bool:
    return number % 2 == 0


CASES: tuple[Case, ...] = (
    Case("defocus", "blur", True, _frames(corrupt.defocus, 3.0, 8.0), "radius 1 to 3 pixels"),
    Case("soft", "blur", True, _frames(corrupt.soften, 2.0, 5.0), "sigma 0.7 to 2 pixels"),
    Case("smear", "blur", True, _smeared, "3 to 9 pixels"),
    Case("enlarged", "blur", True, _frames(corrupt.enlarge, 4.0, 8.0), "factor 1.5 to 4"),
    Case("shallow focus", "blur", False, _shallow, fits=_filmed),
    Case("shake", "jitter", True, _shaken(0.012, 0.04), "0.3 to 1.2 % of the width"),
    Case("steady hand", "jitter", False, _shaken(0.0005, 0.002)),
    *(Case(f"{codec} coarse", "compression", True, _coded(codec, True), "the qualities between")
      for codec in CODECS),
    *(Case(f"{codec} fine", "compression", False, _coded(codec, False)) for codec in CODECS),
    Case("too dark", "underexposed", True, _exposed(-7.0, -4.0), "-1.5 to -4 stops"),
    Case("a little dark", "underexposed", False, _exposed(-1.2, -0.5)),
    Case("too bright", "overexposed", True, _frames(corrupt.blow_out, 0.35, 0.9),
         "a tenth to a third clipped"),
    Case("a little bright", "overexposed", False, _frames(corrupt.blow_out, 0.01, 0.08, white=235)),
    Case("veiled", "contrast", True, _frames(corrupt.fog, 0.05, 0.2), "a fifth to half"),
    Case("a little veiled", "contrast", False, _frames(corrupt.fog, 0.6, 0.9)),
    Case("bars", "letterbox", True, _barred, "bars under 8 % of the picture"),
    Case("freeze", "frozen", True, _frozen, "under a third of the clip"),
    Case("stutter", "frozen", True, _stuttering),
    Case("hard cut", "cut", True, _cut),
    Case("dissolve", "cut", True, _dissolved),
    Case("fade", "cut", True, _faded),
    Case("flash", "cut", False, _flashed),
    Case("line of text", "text", True, _written,
         "letters under 4.5 % of the height, fewer than about eight"),
    Case("logo", "logo", True, _stamped, "opacity under a half; a camera that stands still",
         fits=_filmed),
    Case("pan", "logo", False, _panned, fits=_filmed),
    Case("nothing moves", "action", True, _nothing_moves,
         "things that are small, or of the colour of what is behind them"),
)  # fmt: skip
"""In the order of the checks."""


def cases_of(number: int) -> list[Case]:
    """The cases that are made of good clip ``number``: one bad and one good for each check."""
    chosen: list[Case] = []
    groups: Mapping[tuple[str, bool], list[Case]] = _groups()
    for (_, bad), group in groups.items():
        fitting = [case for case in group if case.fits(number)]
        if fitting:
            chosen.append(fitting[(number // 2 + number % 2 * 2 + bad) % len(fitting)])
    return chosen


def _groups() -> dict[tuple[str, bool], list[Case]]:
    groups: dict[tuple[str, bool], list[Case]] = {}
    for case in CASES:
        groups.setdefault((case.check, case.bad), []).append(case)
    return groups
