"""Labelled samples of the world for every check of tier 3: half are right, and in the other half
exactly one thing is wrong. Files are really encoded and decoded.

========================  =====================================================================
check                     what is wrong in a bad sample
========================  =====================================================================
caption_match             one fact of the caption: kind, colour, motion, place, style, weather,
                          camera
reference_match           the image shows somebody else (kind, colour or both)
identity_match            the other clip has somebody else in it
edit_done                 nothing was done, something else than was asked, or half of it: a piece
                          of who was removed is left
edit_kept                 something else was changed as well
motion_match              the motion reference moves differently
camera_match              the camera reference is filmed differently
sketch_match, place_match the picture is of another clip
restyle_match             the source is another clip, or was not changed
========================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from omnireel.data.candidate import Candidate, Companion, FileFacts, SampledFrames, Shot
from omnireel.data.crossmodal import guided
from omnireel.data.crossmodal.altered import COLORLESS, altered, tellable
from omnireel.data.crossmodal.meddled import erased, half_erased, meddled
from omnireel.data.crossmodal.references import other_identity, recast, references
from omnireel.data.crossmodal.wording import misworded_edit
from omnireel.data.pictures import Drawn
from omnireel.media import Mp4Settings, read_clip, write_mp4, write_png
from omnireel.types import Clip, Frames, MediaKind, Role, VideoFormat
from omnireel.world.captions import LEVELS, caption
from omnireel.world.distribution import SceneDistribution
from omnireel.world.render import render_clip, render_image
from omnireel.world.sampler import sample_scene, with_visible_spin
from omnireel.world.scene import MOTIONS, Scene
from omnireel.world.tasks.catalog import draw_plan
from omnireel.world.tasks.plan import Footage

FORMAT = VideoFormat(64, 64, 17, 8.0)
WIDE = VideoFormat(96, 96, 17, 8.0)
"""For movements, which need more texture."""
_MP4 = Mp4Settings(crf=16, preset="veryfast", threads=1)
_EDITS = ("C4", "C5", "C6", "C7", "C8")
_HALF = 0.5
"""Share of wrong removals that left a piece behind."""
_ALONE = SceneDistribution(two_bodies=0.0, other_style=0.0)


@dataclass(frozen=True, eq=False)
class Labelled:
    """A sample as the check is shown it; ``flaw`` says what is wrong (empty: nothing)."""

    candidate: Candidate
    flaw: str

    @property
    def good(self) -> bool:
        """Whether a check should keep it."""
        return not self.flaw


@dataclass(frozen=True)
class Bench:
    """Where files go, and what is drawn: sample i of a split follows from ``(seed, i)``."""

    folder: Path
    seed: int

    def rng(self, check: str, i: int) -> np.random.Generator:
        """The randomness of one sample."""
        return np.random.default_rng([self.seed, i, *check.encode()])


def labelled(check: str, count: int, seed: int, folder: Path) -> Iterator[Labelled]:
    """``count`` samples for a check, right and wrong in turn; other seeds give other samples."""
    bench = Bench(folder, seed)
    for i in range(count):
        yield MAKERS[check](bench, bench.rng(check, i), i // 2, i % 2 == 0)


def _caption(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
    scene = sample_scene(rng, split="held_out")
    level = LEVELS[i % len(LEVELS)]
    facts = tellable(scene, level)
    fact = facts[int(rng.integers(len(facts)))]
    told = scene if good else altered(scene, fact, rng)
    flaw = "" if good else f"wrong {fact}"
    return Labelled(_candidate(render_clip(scene, FORMAT), caption(told, level, rng)), flaw)


def _reference(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
    scene = _coloured(rng)
    right, wrong, time_s = references(scene, rng, "held_out")
    picture = render_image(right if good else wrong, 64, 64, time_s)
    path = bench.folder / f"reference-{bench.seed}-{i}-{good}.png"
    write_png(picture, path)
    given = Companion("Image_1", Role.REFERENCE, path, MediaKind.IMAGE)
    return Labelled(
        _candidate(render_clip(scene, FORMAT), "", given), "" if good else "wrong reference"
    )


def _identity(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
    one = sample_scene(rng, split="held_out", max_bodies=1, distribution=_ALONE)
    other = sample_scene(rng, split="held_out", max_bodies=1, distribution=_ALONE)
    actor = one if good else other_identity(one, rng, 0)
    shown = recast(other, actor.bodies[0])
    given = _video(bench, f"identity-{i}-{good}", render_clip(shown, FORMAT), Role.REFERENCE)
    return Labelled(
        _candidate(render_clip(one, FORMAT), "", given), "" if good else "other identity"
    )


def _done(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
    plan = draw_plan(_EDITS[i % 5], bench.seed + i, FORMAT.duration_s, "held_out")
    assert plan.source_scene is not None
    source = render_clip(plan.source_scene, FORMAT)
    given = _video(bench, f"done-{i}-{good}", source, Role.SOURCE)
    if good:
        return Labelled(_candidate(render_clip(plan.scene, FORMAT), plan.text, given), "")
    if erased(plan.source_scene, plan.scene) and rng.random() < _HALF:
        half = half_erased(plan.source_scene, plan.scene, FORMAT, rng)
        return Labelled(_candidate(half, plan.text, given), "half done")
    other = plan.text if rng.random() < 0.5 else misworded_edit(plan, rng)
    if other == plan.text:
        return Labelled(_candidate(source, plan.text, given), "not done")
    return Labelled(_candidate(render_clip(plan.scene, FORMAT), other, given), "other edit")


def _kept(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
    plan = draw_plan(_EDITS[i % 5], bench.seed + i, FORMAT.duration_s, "held_out")
    assert plan.source_scene is not None
    source = render_clip(plan.source_scene, FORMAT)
    given = _video(bench, f"kept-{i}-{good}", source, Role.SOURCE)
    scene = plan.scene if good else meddled(plan.source_scene, plan.scene, rng)
    flaw = "" if good else "rest changed"
    return Labelled(_candidate(render_clip(scene, FORMAT), plan.text, given), flaw)


def _motion(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
    plan = draw_plan("C16", bench.seed + i, WIDE.duration_s, "held_out")
    shown = _footage(plan.given[0].shots[0])
    if not good:
        body = shown.bodies[0]
        kinds = [kind for kind in MOTIONS if kind != body.motion.kind]
        kind = kinds[int(rng.integers(len(kinds)))]
        moved = with_visible_spin(replace(body, motion=replace(body.motion, kind=kind)))
        shown = replace(shown, bodies=(moved,))
    given = _video(bench, f"motion-{i}-{good}", render_clip(shown, WIDE), Role.MOTION)
    flaw = "" if good else "other motion"
    return Labelled(_candidate(render_clip(plan.scene, WIDE), "", given), flaw)


def _camera(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
    plan = draw_plan("C17", bench.seed + i, WIDE.duration_s, "held_out")
    shown = _footage(plan.given[0].shots[0])
    shown = shown if good else altered(shown, "camera", rng)
    given = _video(bench, f"camera-{i}-{good}", render_clip(shown, WIDE), Role.CAMERA)
    flaw = "" if good else "other camera"
    return Labelled(_candidate(render_clip(plan.scene, WIDE), "", given), flaw)


def _guided(make: guided.Maker) -> Callable[[Bench, np.random.Generator, int, bool], Labelled]:
    def one(bench: Bench, rng: np.random.Generator, i: int, good: bool) -> Labelled:
        given = make(bench.folder, rng, i, good)
        flaw = "" if good else "another clip"
        return Labelled(_candidate(given.frames, given.words, given.companion), flaw)

    return one


MAKERS: Mapping[str, Callable[[Bench, np.random.Generator, int, bool], Labelled]] = {
    "caption_match": _caption,
    "reference_match": _reference,
    "identity_match": _identity,
    "edit_done": _done,
    "edit_kept": _kept,
    "motion_match": _motion,
    "camera_match": _camera,
    "sketch_match": _guided(guided.sketch),
    "place_match": _guided(guided.place),
    "restyle_match": _guided(guided.restyle),
}
"""By the name of the check."""


def _coloured(rng: np.random.Generator) -> Scene:
    """A scene in whose style colours can be seen."""
    while True:
        scene = sample_scene(rng, split="held_out")
        if scene.style not in COLORLESS:
            return scene


def _footage(shot: object) -> Scene:
    assert isinstance(shot, Footage)
    return shot.scene


def _coded(frames: Frames) -> Frames:
    """As they come out of a file."""
    data = write_mp4(Clip(frames, FORMAT.fps), None, _MP4)
    return read_clip(data, with_audio=False).frames_THWC


def _video(bench: Bench, name: str, frames: Frames, role: Role) -> Companion:
    path = bench.folder / f"{name}-{bench.seed}.mp4"
    write_mp4(Clip(frames, 8.0), path, _MP4)
    return Companion("Video_1", role, path, MediaKind.VIDEO)


def _candidate(rendered: Frames, words: str, *companions: Companion) -> Candidate:
    frames = _coded(rendered)
    count, height, width, _ = frames.shape
    file = FileFacts(
        MediaKind.VIDEO, 0, width=width, height=height, fps=8.0, said_s=count / 8.0,
        seen_s=count / 8.0, packets=count, decoded=count,
    )  # fmt: skip
    sampled = SampledFrames(Drawn(frames), np.arange(count) / 8.0)
    shot = Shot(0.0, count / 8.0)
    return Candidate("sample", Path("sample.mp4"), "", file, shot, sampled, words, companions)
