"""Checks of tier 2 on frames whose faults are known by construction."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from omnireel.data.candidate import Candidate
from omnireel.data.checks import CHECKS, Check, Tier
from omnireel.data.checks.blur import WINDOW, Blur
from omnireel.data.checks.camera import Action, Jitter
from omnireel.data.checks.compression import Compression, blocks, detail
from omnireel.data.checks.cut import Cut
from omnireel.data.checks.exposure import Contrast, Overexposed, Underexposed
from omnireel.data.checks.frozen import Frozen
from omnireel.data.checks.letterbox import Letterbox
from omnireel.data.checks.motion import motion_of
from omnireel.data.checks.overlay import Logo, OverlayText
from omnireel.data.gray import gray_of
from omnireel.types import Frames
from tests.support.seen_frames import HEIGHT, WIDTH, pan, scene, seen, still, with_thing


def score(check: type[Check], candidate: Candidate) -> float:
    found = check().measure(candidate)
    assert found is not None
    assert found.score in check.scale
    return found.score


def lettered(frames: Frames, text: str) -> Frames:
    out = []
    for frame in frames:
        image = Image.fromarray(frame)
        font = ImageFont.load_default(26)
        ImageDraw.Draw(image).text(
            (30, 190), text, "white", font=font, stroke_width=2, stroke_fill="black"
        )
        out.append(np.asarray(image))
    return np.stack(out)


@pytest.mark.parametrize("check", [c for c in CHECKS if c.tier is Tier.TEMPORAL])
def test_every_threshold_of_the_standard_policy_is_a_possible_score(check: type[Check]) -> None:
    low, high = check.standard.low, check.standard.high
    assert (low in check.scale) != (high in check.scale)


def test_a_blurred_clip_has_wider_edges_and_a_blank_one_has_none() -> None:
    sharp = still(1)
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in sharp])
    assert score(Blur, seen(sharp)) in Blur.standard
    assert score(Blur, seen(soft)) not in Blur.standard
    assert score(Blur, seen(np.full_like(sharp, 90))) == WINDOW


def test_blur_in_one_direction_is_blur() -> None:
    smeared = np.stack([cv2.blur(frame, (11, 1)) for frame in still(1)])
    assert score(Blur, seen(smeared)) not in Blur.standard


def test_light() -> None:
    frames = still(2)
    assert score(Underexposed, seen(frames // 4)) <= 230 // 4
    assert score(Overexposed, seen(np.full_like(frames, 255))) == 1.0
    assert score(Contrast, seen((frames // 8) + 100)) <= 230 // 8
    for check in (Underexposed, Overexposed, Contrast):
        assert score(check, seen(frames)) in check.standard


def test_bars_are_measured_and_a_sky_is_none() -> None:
    framed = still(3)
    framed[:, :14] = framed[:, -14:] = 0
    found = Letterbox().measure(seen(framed))
    assert found is not None
    assert (found.detail["top"], found.detail["bottom"]) == (14, 14)
    assert found.score == pytest.approx(28 / HEIGHT)
    sky = still(3)
    sky[:, :40] = np.linspace(200, 140, 40)[:, None, None].astype(np.uint8)
    assert score(Letterbox, seen(sky)) == 0.0


def test_repeated_frames_are_counted() -> None:
    moving = pan(scene(4, 400), 13, 3.0)
    assert score(Frozen, seen(moving)) == 0.0
    stopped = moving.copy()
    stopped[6:] = stopped[6]
    found = Frozen().measure(seen(stopped))
    assert found is not None
    assert found.detail == {"even": 6 / 12, "bursts": 1 / 7}
    twice = moving[np.arange(13) // 2 * 2]
    assert score(Frozen, seen(twice)) == pytest.approx(4 / 7)  # the burst's share is larger


def test_a_cut_is_found_where_it_is_and_a_pan_or_a_flash_is_none() -> None:
    one, other = pan(scene(5, 400), 16, 2.0), pan(scene(6, 400), 16, 2.0)
    joined = np.concatenate([one[:7], other[7:]])
    found = Cut().measure(seen(joined))
    assert found is not None
    assert found.score not in Cut.standard
    assert (found.detail["kind"], found.detail["at_s"]) == ("cut", 7 / 8)
    fast = pan(scene(5, 600), 16, 12.0)
    flashed = one.copy()
    flashed[8] = 255 - (255 - flashed[8]) // 4
    assert score(Cut, seen(fast)) in Cut.standard
    assert score(Cut, seen(flashed)) in Cut.standard


def test_a_dissolve_is_gradual() -> None:
    one, other = still(5, 24).astype(np.float32), still(6, 24).astype(np.float32)
    share = ((np.arange(24) - 9) / 6).clip(0, 1)[:, None, None, None]
    found = Cut().measure(seen(((1 - share) * one + share * other).astype(np.uint8)))
    assert found is not None
    assert found.detail["kind"] == "gradual"
    assert found.score not in Cut.standard


def test_letters_are_counted() -> None:
    plain = np.repeat(scene(7, 432, 240)[None], 3, axis=0)
    assert score(OverlayText, seen(lettered(plain, "HARBOUR NEWS"))) >= 9
    assert score(OverlayText, seen(plain)) in OverlayText.standard


def test_a_logo_stays_while_the_camera_moves() -> None:
    moving = pan(scene(8, 400), 12, 4.0)
    stamped = moving.copy()
    stamped[:, 6:30, 160:184] = scene(50, 24, 24)
    assert score(Logo, seen(stamped)) > score(Logo, seen(moving)) + 5
    assert Logo().measure(seen(still(8))) is None


def test_the_camera_is_told_from_what_moves_before_it() -> None:
    room = pan(scene(9, 400), 12, 2.5)
    over_a_room = Action().measure(seen(room))
    assert over_a_room is not None
    assert over_a_room.score not in Action.standard
    assert over_a_room.detail["camera"] == pytest.approx(100 * 2.5 / WIDTH * 8, rel=0.05)
    dancer = with_thing(still(9), 3.0)
    true_speed = 100 * 3.0 / WIDTH * 8
    # The thing covers about a twentieth of the picture, and flow is smooth over its outline.
    assert true_speed / 2 < score(Action, seen(dancer)) < 1.1 * true_speed
    assert score(Action, seen(with_thing(room, 5.0))) in Action.standard


def test_the_cameras_motion_is_fitted_beside_a_large_thing() -> None:
    clip = seen(with_thing(pan(scene(9, 400), 6, 3.0), 4.0, size=36))
    assert clip.frames is not None
    motion = motion_of(clip.frames)
    assert motion is not None
    np.testing.assert_allclose(motion.camera_T23[:, 0, 0], -3.0, atol=0.25)
    np.testing.assert_allclose(motion.camera_T23[:, 1, 0], 0.0, atol=0.25)


def test_jitter_is_what_is_left_of_a_path_without_its_smooth_part() -> None:
    rng = np.random.default_rng(0)
    wide = scene(10, 500)
    steady = pan(wide, 16, 4.0)
    offsets = rng.normal(0, 4, (16, 2))
    shaken = np.stack(
        [
            cv2.getRectSubPix(wide, (WIDTH, HEIGHT), (200 + float(x), HEIGHT / 2 + float(y)))
            for x, y in offsets
        ]
    )
    assert score(Jitter, seen(steady)) in Jitter.standard
    assert score(Jitter, seen(shaken)) not in Jitter.standard


def test_blocks_and_lost_detail_show() -> None:
    rng = np.random.default_rng(0)
    whole = gray_of(scene(11)).astype(np.float32) + rng.normal(0, 4, (HEIGHT, WIDTH))
    picture = whole.clip(0, 255).astype(np.uint8)
    tiles = picture.reshape(HEIGHT // 8, 8, WIDTH // 8, 8).mean(axis=(1, 3))
    blocky = np.kron(tiles, np.ones((8, 8))).astype(np.uint8)
    assert blocks(blocky) > 5 * blocks(picture)
    assert blocks(blocky[3:, 5:]) > 5 * blocks(picture)  # cropping moves the grid
    assert detail(cv2.GaussianBlur(picture, (0, 0), 1.5)) < detail(picture) - 0.3


def test_fewer_bits_are_worse_and_an_image_without_them_is_left_alone() -> None:
    frames = still(12)
    assert score(Compression, seen(frames, bits=0.01)) > score(Compression, seen(frames, bits=0.5))
    assert Compression().measure(seen(frames, bits=0.0)) is None


def test_short_clips_and_images_have_no_motion() -> None:
    image = seen(still(1, 1), details=1)
    for check in (Action, Jitter, Logo, Frozen, Cut):
        assert check().measure(image) is None
