"""Effects that follow a body: sparkles, fire, bubbles, glow."""

from __future__ import annotations

import numpy as np

from omnireel.errors import InvalidInput
from omnireel.world.camera import CameraPath
from omnireel.world.kinematics import Pose
from omnireel.world.palette import F32, albedo, linear
from omnireel.world.particles import Particles, splat
from omnireel.world.scene import EFFECTS, Body, Scene

SPARKLES, FLAMES, BUBBLES = 30, 130, 22


def effect_body(scene: Scene) -> int | None:
    """Index of the body that the scene's effect follows, or None; InvalidInput if it names none."""
    if scene.effect not in EFFECTS:
        raise InvalidInput(
            f"Unknown effect {scene.effect!r}; use one of {', '.join(EFFECTS)}.",
            field="scene.effect",
        )
    if scene.effect == "none":
        return None
    for index, body in enumerate(scene.bodies):
        if body.id == scene.effect_on:
            return index
    raise InvalidInput(
        f"The effect follows {scene.effect_on!r}, but no body has that id.",
        field="scene.effect_on",
    )


def draw_effect(
    scene: Scene,
    poses: list[Pose],
    camera: CameraPath,
    times_T: F32,
    color_CTHW: F32,
    depth_THW: F32,
) -> None:
    """Draw a scene's particles over the finished bodies, in place (linear light)."""
    index = effect_body(scene)
    if index is None or scene.effect == "glow":
        return
    make = {"sparkles": _sparkles, "fire": _fire, "bubbles": _bubbles}[scene.effect]
    flying = make(scene.seed, scene.bodies[index], poses[index], times_T)
    splat(flying, camera, color_CTHW, depth_THW)


def draw_halo(body: Body, pose: Pose, camera: CameraPath, color_CTHW: F32) -> None:
    """Light up the place around a glowing body in its own colour, before it is drawn."""
    column, row, depth = camera.project(pose.centre()[:, None, :])
    size = body.size / (np.maximum(depth, 0.1) * camera.pixel_T[:, None])
    x = np.arange(camera.width, dtype=np.float32)[None, None, :] + 0.5 - column[..., None]
    y = np.arange(camera.height, dtype=np.float32)[None, :, None] + 0.5 - row[..., None]
    q = (x * x + y * y) / (size * size)[..., None]
    halo = 0.85 * np.exp(-2.0 * q) + 0.15 * np.exp(-0.5 * q)
    tint = albedo(body.material.color)
    tint = 0.85 * tint / max(float(tint.max()), 0.2) + 0.15
    for c in range(3):
        flat = color_CTHW[c]
        flat += (tint[c] * np.float32(1.1) - 0.8 * flat) * halo


def _cycle(rng: np.random.Generator, count: int, times_T: F32, life_s: float) -> tuple[F32, F32]:
    """Age in 0..1 (T, N) of particles that are born again and again, and their generation."""
    life = life_s * (0.75 + 0.5 * rng.random(count)).astype(np.float32)
    total = times_T[:, None] / life + rng.random(count).astype(np.float32)
    born = np.floor(total)
    return (total - born).astype(np.float32), born


def _sparkles(seed: int, body: Body, pose: Pose, times_T: F32) -> Particles:
    """Twinkling four-pointed glints on a shell about the body."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, 4])
    age, born = _cycle(rng, SPARKLES, times_T, 0.8)
    turn = rng.random(SPARKLES).astype(np.float32) + born * np.float32(0.381966)
    lift = np.mod(rng.random(SPARKLES).astype(np.float32) + born * np.float32(0.618034), 1)
    angle = turn * np.float32(2 * np.pi)
    reach = body.size * (0.52 + 0.22 * rng.random(SPARKLES)).astype(np.float32)
    centre = pose.centre()[:, None, :]
    points = np.stack(
        [reach * np.sin(angle), (lift * 1.10 - 0.40) * body.size, reach * np.cos(angle)], -1
    )
    twinkle = np.sin(np.pi * age) ** 2
    size = (0.17 * body.size * (0.5 + 0.5 * twinkle)).astype(np.float32)
    warm = linear((255, 238, 150)), linear((255, 255, 255))
    pick = (rng.random(SPARKLES) < 0.6)[None, :, None]
    color = np.broadcast_to(np.where(pick, warm[0], warm[1]), (*age.shape, 3)) * np.float32(1.3)
    return Particles(
        (centre + points).astype(np.float32),
        size,
        color.astype(np.float32),
        twinkle.astype(np.float32),
        "glint",
        emits=False,
    )


def _fire(seed: int, body: Body, pose: Pose, times_T: F32) -> Particles:
    """Flames that rise around the body and over its head."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, 5])
    age, born = _cycle(rng, FLAMES, times_T, 0.62)
    angle = (rng.random(FLAMES).astype(np.float32) + born * np.float32(0.381966)) * 6.2831855
    reach = body.size * (0.34 + 0.24 * rng.random(FLAMES).astype(np.float32)) * (1 - 0.6 * age)
    start = 0.42 * rng.random(FLAMES).astype(np.float32)
    foot = pose.origin_T3[:, None, :]
    points = np.stack(
        [
            reach * np.sin(angle) + 0.04 * np.sin(9 * age + angle),
            body.size * (0.06 + start + age * 0.95),
            reach * np.cos(angle),
        ],
        -1,
    )
    size = body.size * (0.17 - 0.13 * age)
    hot, mid, cool = linear((255, 236, 120)), linear((255, 140, 24)), linear((214, 46, 20))
    k = age[..., None]
    color = np.where(k < 0.4, hot + (mid - hot) * (k / 0.4), mid + (cool - mid) * ((k - 0.4) / 0.6))
    alpha = 0.95 * np.minimum(age * 6, 1) * (1 - age) ** 0.8
    return Particles(
        (foot + points).astype(np.float32),
        size.astype(np.float32),
        color.astype(np.float32),
        alpha.astype(np.float32),
        "soft",
        emits=False,
    )


def _bubbles(seed: int, body: Body, pose: Pose, times_T: F32) -> Particles:
    """Clear bubbles that rise and sway."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, 6])
    age, born = _cycle(rng, BUBBLES, times_T, 1.7)
    angle = (rng.random(BUBBLES).astype(np.float32) + born * np.float32(0.381966)) * 6.2831855
    reach = body.size * (0.45 + 0.35 * rng.random(BUBBLES).astype(np.float32))
    foot = pose.origin_T3[:, None, :]
    points = np.stack(
        [
            reach * np.sin(angle) + 0.06 * np.sin(7 * age + angle),
            body.size * (0.1 + 1.45 * age),
            reach * np.cos(angle),
        ],
        -1,
    )
    size = body.size * (0.05 + 0.06 * rng.random(BUBBLES).astype(np.float32))
    alpha = np.minimum(age * 8, 1) * np.minimum((1 - age) * 6, 1)
    color = np.broadcast_to(linear((236, 248, 255)), (*age.shape, 3))
    return Particles(
        (foot + points).astype(np.float32),
        np.broadcast_to(size, age.shape).astype(np.float32),
        color,
        alpha.astype(np.float32),
        "bubble",
        emits=False,
    )
