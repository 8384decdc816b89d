from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from omnireel.errors import InvalidInput
from omnireel.types import VideoFormat
from omnireel.world.palette import SRGB
from omnireel.world.render import render_clip, render_image, render_times
from omnireel.world.scene import (
    CHARACTERS,
    COLORS,
    EFFECTS,
    PLACES,
    SHAPES,
    STYLES,
    TEXTURES,
    WEATHERS,
    Body,
    Camera,
    Material,
    Motion,
    Scene,
)
from omnireel.world.truth import render_truth

SMALL = VideoFormat(48, 48, 5, 8.0)


def scene(kind: str = "ball", color: str = "red", **changes: object) -> Scene:
    motion = Motion(str(changes.pop("motion", "still")))
    body = Body("a", kind, Material(color), motion=motion)
    return replace(Scene((body,), seed=4), **changes)  # type: ignore[arg-type]


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def test_equal_scenes_render_to_equal_bytes_whatever_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = scene("cat", motion="move_right", weather="snow", effect="fire", effect_on="a")
    first = render_clip(busy, SMALL)
    monkeypatch.setattr("omnireel.world.render.CHUNK_PIXELS", 48 * 48 * 2)
    assert (render_clip(replace(busy), SMALL) == first).all()
    assert first.shape == (5, 48, 48, 3)
    assert first.dtype == np.uint8


def test_an_image_is_the_frame_of_its_time() -> None:
    moving = scene("cube", motion="move_left")
    clip = render_clip(moving, SMALL)
    assert (render_image(moving, 48, 48, 3 / 8)[0] == clip[3]).all()


@pytest.mark.parametrize("place", PLACES)
def test_two_resolutions_show_the_same_picture(place: str) -> None:
    still = scene("star", "blue", place=place)
    large = render_image(still, 192, 192, 0.5)[0].astype(float)
    small = render_image(still, 64, 64, 0.5)[0].astype(float)
    shrunk = large.reshape(64, 3, 64, 3, 3).mean((1, 3))
    assert np.abs(shrunk - small).mean() < 4.0


def test_frame_rate_only_samples_the_same_motion() -> None:
    moving = scene(motion="jump")
    slow = render_clip(moving, VideoFormat(40, 40, 4, 8.0))
    fast = render_clip(moving, VideoFormat(40, 40, 7, 16.0))
    assert (fast[::2] == slow).all()


@pytest.mark.parametrize("size", [(96, 54), (54, 96)])
def test_the_shorter_side_keeps_its_field_of_view(size: tuple[int, int]) -> None:
    square = render_truth(scene(), VideoFormat(54, 54, 1, 8.0)).masks["a"]
    wide = render_truth(scene(), VideoFormat(*size, 1, 8.0)).masks["a"]
    assert square.sum() == wide.sum()


def test_edges_are_anti_aliased() -> None:
    plain = replace(scene("ball", "black", place="studio"), bodies=scene("ball", "black").bodies)
    picture = render_image(plain, 64, 64, 0.0)[0].astype(int)
    row = picture[32].sum(-1)
    left = int(np.flatnonzero(row < 300)[0])
    assert row[left - 1] - row[left] > 0
    levels = {int(v) // 40 for v in picture[..., 0].ravel()}
    assert len(levels) >= 5


@pytest.mark.parametrize("color", COLORS)
def test_subjects_keep_their_colour_in_every_place(color: str) -> None:
    fmt = VideoFormat(64, 64, 1, 8.0)
    names = list(SRGB)
    # Distance of hues (and of brightness) in gamma space, shading divided out.
    targets = np.asarray([SRGB[n] for n in names], float)
    for place in PLACES:
        shown = scene("ball", color, place=place)
        mask = render_truth(shown, fmt).masks["a"][0]
        seen = render_clip(shown, fmt)[0][mask].astype(float)
        mean = np.median(seen, axis=0)
        if place == "night":
            continue
        gains = np.linspace(0.6, 1.05, 10)
        cost = [min(np.abs(mean - g * t).sum() for g in gains) for t in targets]
        assert names[int(np.argmin(cost))] == color, place


def test_silhouettes_of_all_shapes_differ() -> None:
    fmt = VideoFormat(64, 64, 1, 8.0)
    masks = {k: render_truth(scene(k), fmt).masks["a"][0] for k in SHAPES}
    for one in SHAPES:
        for other in SHAPES:
            if one < other:
                union = (masks[one] | masks[other]).sum()
                both = (masks[one] & masks[other]).sum()
                assert both / union < 0.87, (one, other)


@pytest.mark.parametrize("kind", SHAPES)
def test_textures_change_the_surface_and_nothing_else(kind: str) -> None:
    fmt = VideoFormat(64, 64, 1, 8.0)
    plain = scene(kind, "blue", place="studio")
    base = render_clip(plain, fmt)
    mask = render_truth(plain, fmt).masks["a"]
    pictures = [base]
    for texture in TEXTURES[1:]:
        body = replace(plain.bodies[0], material=Material("blue", texture))
        picture = render_clip(replace(plain, bodies=(body,)), fmt)
        assert difference(picture[mask], base[mask]) > 8
        far = ~(np.roll(mask, 2, 1) | np.roll(mask, -2, 1) | np.roll(mask, 2, 2) | mask)
        far &= ~np.roll(mask, -2, 2)
        assert (picture[far] == base[far]).all()
        assert all(difference(picture[mask], other[mask]) > 8 for other in pictures[1:])
        pictures.append(picture)


@pytest.mark.parametrize("kind", CHARACTERS)
def test_what_a_character_is_can_be_seen(kind: str) -> None:
    camera = Camera(distance=3.2)
    base = Scene((Body("a", kind, Material("teal"), size=1.2),), place="studio", camera=camera)
    plain = render_image(base, 64, 64, 0.0)
    variants = [
        replace(base.bodies[0], skin="orange"),
        replace(base.bodies[0], material=Material("red")),
        *(
            replace(base.bodies[0], wears=((prop, "yellow"),))
            for prop in ("hat", "scarf", "balloon", "backpack", "crown")
        ),
    ]
    for variant in variants:
        other = render_image(replace(base, bodies=(variant,)), 64, 64, 0.0)
        changed = (np.abs(other.astype(int) - plain).sum(-1) > 40).sum()
        assert changed >= 12, variant


def test_every_style_weather_effect_and_place_looks_different() -> None:
    base = scene("bear", "purple", effect_on="a")
    for field, names in (
        ("style", STYLES),
        ("weather", WEATHERS),
        ("effect", EFFECTS),
        ("place", PLACES),
    ):
        frames = {n: render_image(replace(base, **{field: n}), 64, 64, 1.0) for n in names}
        for one in names:
            for other in names:
                if one < other:
                    assert difference(frames[one], frames[other]) > 0.5, (field, one, other)


def test_pixel_style_has_square_cells() -> None:
    picture = render_image(scene(style="pixel"), 64, 64, 0.0)[0]
    assert (picture[0::2, 0::2] == picture[1::2, 1::2]).all()


def test_a_style_does_not_flicker() -> None:
    times = np.asarray([0.0, 0.5, 1.0], np.float32)
    for style in STYLES:
        frames = render_times(scene("cube", style=style), 48, 48, times)
        assert (frames[0] == frames[1]).all()
        assert (frames[0] == frames[2]).all()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"place": "moon"}, "scene.place"),
        ({"weather": "hail"}, "scene.weather"),
        ({"style": "cubist"}, "scene.style"),
        ({"effect": "laser"}, "scene.effect"),
        ({"effect": "fire", "effect_on": "nobody"}, "scene.effect_on"),
        ({"camera": Camera(move="fly")}, "camera.move"),
        ({"bodies": (Body("a", "pyramid", Material("red")),)}, "body.kind"),
        ({"bodies": (Body("a", "ball", Material("mauve")),)}, "color"),
        ({"bodies": (Body("a", "ball", Material("red", "wavy")),)}, "material.texture"),
        ({"bodies": (Body("a", "cat", Material("red"), wears=(("sword", "red"),)),)}, "body.wears"),
    ],
)
def test_unknown_names_are_refused_by_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as error:
        render_image(replace(scene(), **changes), 32, 32, 0.0)  # type: ignore[arg-type]
    assert error.value.violations[0].field == field


@pytest.mark.parametrize("fmt", [(4, 64, 1, 8), (64, 64, 0, 8), (64, 64, 1, 0), (9999, 9999, 1, 8)])
def test_impossible_formats_are_refused(fmt: tuple[int, int, int, float]) -> None:
    with pytest.raises(InvalidInput):
        render_clip(scene(), VideoFormat(*fmt))
