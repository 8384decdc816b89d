"""C16 and C17: the motion or the camera work of a given video, carried over to a new scene."""

from __future__ import annotations

from dataclasses import replace

from omnireel.types import Role
from omnireel.world.captions import caption, vague
from omnireel.world.captions.grammar import Borrowed
from omnireel.world.captions.told import left_open
from omnireel.world.distribution import SceneDistribution
from omnireel.world.sampler import with_visible_spin
from omnireel.world.staging import arrange, camera_suits
from omnireel.world.tasks.plan import Builder, Draw, Footage, Given, Plan

MOTION_SCENES = SceneDistribution(two_bodies=0.0, moving_camera=0.0, effect=0.0)
CAMERA_SCENES = SceneDistribution(moving_camera=0.9, effect=0.0)
VAGUE_MOTION = ("{vague}, moves like @Video_1", "{vague} same motion as @Video_1")
VAGUE_CAMERA = ("{vague}, camera like @Video_1", "{vague} same camera as @Video_1")


def motion_transfer(draw: Draw) -> Plan:
    """A new subject in a new place moves exactly as the subject of the video."""
    source = draw.scene(distribution=MOTION_SCENES)
    scene = draw.scene(distribution=MOTION_SCENES)
    moved = with_visible_spin(replace(scene.bodies[0], motion=source.bodies[0].motion))
    scene = replace(scene, bodies=arrange(draw.rng, (moved,), distribution=MOTION_SCENES))
    level, borrowed = draw.level(), Borrowed(motion="@Video_1")
    return Plan(
        scene,
        caption(scene, level, draw.rng, borrowed=borrowed),
        draw.one_of(VAGUE_MOTION).format(vague=vague(scene, draw.rng, say_motion=False)),
        (Given("Video_1", Role.MOTION, (Footage(source),)),),
        source_scene=source,
        left_open=left_open(level, borrowed),
    )


def camera_transfer(draw: Draw) -> Plan:
    """A new scene is filmed with the camera work of the video."""
    source = draw.scene(distribution=CAMERA_SCENES)
    while True:
        scene = replace(draw.scene(distribution=CAMERA_SCENES), camera=source.camera)
        if camera_suits(source.camera.move, scene.bodies):
            break
    level, borrowed = draw.level(), Borrowed(camera="@Video_1")
    return Plan(
        scene,
        caption(scene, level, draw.rng, borrowed=borrowed),
        draw.one_of(VAGUE_CAMERA).format(vague=vague(scene, draw.rng)),
        (Given("Video_1", Role.CAMERA, (Footage(source),)),),
        source_scene=source,
        left_open=left_open(level, borrowed),
    )


BUILDERS: dict[str, Builder] = {"C16": motion_transfer, "C17": camera_transfer}
