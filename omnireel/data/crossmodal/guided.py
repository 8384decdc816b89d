"""Labelled samples whose given pictures are looked at, not recognised: sketches, places, and the
same clip in another look. In a wrong one they are of another clip.

In turn of the world (192x192) and of dead leaves with a thing before them; of the latter half under
a camera that pans. Files are really encoded and decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from omnireel.data.bench.filming import Filming, film_with_truth
from omnireel.data.candidate import Companion
from omnireel.data.synthesis.erase import erase, grown, margin_of
from omnireel.data.synthesis.looks import STYLES, sketched, styled
from omnireel.data.synthesis.views import Mask
from omnireel.data.synthesis.wordings import DRAWING, PLACE, RESTYLE
from omnireel.media import Mp4Settings, write_mp4, write_png
from omnireel.types import Clip, Frames, MediaKind, Role, VideoFormat
from omnireel.world.distribution import SceneDistribution
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.truth import render_truth

FORMAT = VideoFormat(144, 144, 13, 8.0)
_FILMED = Filming(width=216, height=144, fps=8.0, seconds=1.625, things=1, size=0.3)
_ALONE = SceneDistribution(two_bodies=0.0, other_style=0.0)
_MP4 = Mp4Settings(crf=16, preset="veryfast", threads=1)
_CAPTION = "Something moves."


@dataclass(frozen=True, eq=False)
class Given:
    """Frames of a target, its words, and what is given with it."""

    frames: Frames
    words: str
    companion: Companion


Maker = Callable[[Path, np.random.Generator, int, bool], Given]


def sketch(folder: Path, rng: np.random.Generator, i: int, good: bool) -> Given:
    """Outlines of the first frame, or of another clip's."""
    frames, _ = _clip(rng, i)
    shown = frames if good else _clip(rng, i)[0]
    path = folder / f"sketch-{i}-{good}.png"
    write_png(sketched(shown[0])[None], path)
    given = Companion("Drawing", Role.REFERENCE, path, MediaKind.IMAGE)
    return Given(frames, DRAWING.format(caption=_CAPTION), given)


def place(folder: Path, rng: np.random.Generator, i: int, good: bool) -> Given:
    """The first frame without its subject, or another clip's."""
    frames, mask = _clip(rng, i)
    shown, hidden = (frames, mask) if good else _clip(rng, i)
    hole = grown(hidden, margin_of(shown))
    path = folder / f"place-{i}-{good}.png"
    write_png(erase(shown, hole)[:1], path)
    given = Companion("Place", Role.REFERENCE, path, MediaKind.IMAGE)
    return Given(frames, PLACE.format(caption=_CAPTION), given)


def restyle(folder: Path, rng: np.random.Generator, i: int, good: bool) -> Given:
    """The clip drawn, painted or old; or another clip so, or the clip as it is."""
    frames, _ = _clip(rng, i)
    style = list(STYLES)[int(rng.integers(len(STYLES)))]
    undone = not good and rng.random() < 0.25
    shown = frames if good or undone else _clip(rng, i)[0]
    path = folder / f"restyle-{i}-{good}.mp4"
    write_mp4(Clip(shown if undone else styled(shown, style), FORMAT.fps), path, _MP4)
    given = Companion("Source", Role.SOURCE, path, MediaKind.VIDEO)
    return Given(frames, RESTYLE.format(style=style, caption=_CAPTION), given)


def _clip(rng: np.random.Generator, i: int) -> tuple[Frames, Mask]:
    """A clip and where its subject is."""
    if i % 2:
        pan = (0.1, 0.0) if i % 4 == 1 else (0.0, 0.0)
        return film_with_truth(rng, replace(_FILMED, pan=pan))
    scene = sample_scene(
        rng, split="held_out", duration_s=FORMAT.duration_s, max_bodies=1, distribution=_ALONE
    )
    (mask,) = render_truth(scene, FORMAT).masks.values()
    return render_clip(scene, FORMAT), mask
