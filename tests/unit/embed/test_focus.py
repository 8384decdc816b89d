"""What an edit changed is read where it changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnireel.embed.focus import FOCUS, GROUPS, LIKENESS, PATTERN, SIGHTED, STANDS, focus
from omnireel.embed.sight import F32, SUBJECT, WHO, look
from omnireel.types import VideoFormat
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene
from omnireel.world.scene import CHARACTERS, COLORS, SHAPES, Body, Material, Motion, Scene

FORMAT = VideoFormat(64, 64, 9, 8.0)
KINDS = (*SHAPES, *CHARACTERS)


def body(name: str, kind: str, color: str, x: float, *, texture: str = "plain") -> Body:
    return Body(
        name,
        kind,
        Material(color, texture, "white"),
        position=(x, 0.0, 0.0),
        motion=Motion("still"),
    )


def scene_of(*bodies: Body) -> Scene:
    plain = sample_scene(np.random.default_rng(3))
    camera = replace(plain.camera, move="static", azimuth=0.0)
    return replace(
        plain, bodies=bodies, camera=camera, place="studio", weather="clear", style="natural",
        effect="none",
    )  # fmt: skip


def found(source: Scene, result: Scene) -> tuple[F32, F32]:
    numbers = focus(*(look(render_clip(scene, FORMAT)) for scene in (source, result)))
    assert numbers.shape == (FOCUS,)
    return numbers[:-LIKENESS].reshape(GROUPS, 2, SIGHTED), numbers[-LIKENESS:]


def who(numbers_F: F32) -> tuple[str, str]:
    kind, color = int(numbers_F[: WHO - 10].argmax()), int(numbers_F[WHO - 10 : WHO].argmax())
    return KINDS[kind], COLORS[color]


STAYS = body("b", "cube", "blue", 0.9)


def test_who_was_replaced_is_read_beside_somebody_larger() -> None:
    before = scene_of(body("a", "ball", "red", -0.9), STAYS)
    after = scene_of(body("a", "cone", "yellow", -0.9), STAYS)
    subjects, kept = found(before, after)
    assert [who(one) for one in subjects[0]] == [("ball", "red"), ("cone", "yellow")]
    assert not subjects[1].any()
    assert kept[5] > 0.6  # the edges of the place
    stands = subjects[0, 1, -STANDS:]
    assert stands[0] < -0.3  # to the left of the cube
    assert stands[-1] == 1.0


def test_what_was_added_was_not_there_before() -> None:
    alone = scene_of(STAYS)
    subjects, _ = found(alone, scene_of(body("a", "ball", "red", -0.9), STAYS))
    assert not subjects[0, 0].any()
    assert who(subjects[0, 1]) == ("ball", "red")
    same, kept = found(alone, alone)
    assert not same.any()
    assert np.allclose(kept[:6], 1.0, atol=0.01)
    assert not kept[-2:].any()


def test_patterns_are_told_from_paint() -> None:
    plain = scene_of(body("a", "cube", "red", 0.0))
    stripes, checks = (
        found(plain, scene_of(body("a", "cube", "red", 0.0, texture=texture)))[0][0]
        for texture in ("striped", "checkered")
    )
    pattern = slice(SUBJECT, SUBJECT + PATTERN)
    before, striped, checked = stripes[0, pattern], stripes[1, pattern], checks[1, pattern]
    white = COLORS.index("white")
    assert striped[white] > 3 * before[white]
    assert checked[-3:-1].min() > striped[-3:-1].min()  # changes along rows and along columns


def test_a_style_keeps_outlines_that_another_subject_does_not() -> None:
    before = scene_of(body("a", "ball", "red", 0.0))
    drawn = found(before, replace(before, style="sepia"))[1]
    other = found(before, replace(scene_of(body("a", "star", "red", 0.6)), style="sepia"))[1]
    assert drawn[:4].min() > 0.7
    assert other[0] < drawn[0] - 0.2
    assert other[4] < drawn[4]
