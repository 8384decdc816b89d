"""The shipped readers on exact renderings: right with true facts, wrong with false ones."""

from __future__ import annotations

import numpy as np
import pytest

from omnireel.evaluate.judgement import Viewer
from omnireel.evaluate.perception import Perception, load_perception
from omnireel.evaluate.quick import score_all
from omnireel.evaluate.truth_check import OracleError, blurred, oracle_error, sharp
from omnireel.types import Clip, VideoFormat
from omnireel.world.tasks import sample_task


@pytest.fixture(scope="module")
def eyes() -> Perception:
    return load_perception()


def _errors(eyes: Perception, capability: str, **options: object) -> dict[str, OracleError]:
    found = oracle_error(capability, eyes, seed=2, **options)  # type: ignore[arg-type]
    return {e.oracle: e for e in found}


@pytest.mark.parametrize(("corrupt", "least"), [(sharp, 0.85), (blurred, 0.75)])
def test_single_subjects_are_read_right(eyes: Perception, corrupt: object, least: float) -> None:
    found = _errors(eyes, "C20", count=20, single=True, corrupt=corrupt)
    for name in ("color", "kind", "motion", "count", "place", "style"):
        assert found[name].true.estimate >= least, name
    for name in ("color", "kind", "motion", "place"):
        assert found[name].false.estimate <= 0.45, name
    assert found["recognisable"].true.estimate >= least - 0.1
    assert found["recognisable"].false.estimate <= 0.1


def test_removed_subjects_are_counted(eyes: Perception) -> None:
    found = _errors(eyes, "C5", count=6)
    assert found["count"].true.estimate >= 0.75


def test_identity_tells_references_apart(eyes: Perception) -> None:
    found = _errors(eyes, "C2", count=6)["identity"]
    assert found.true.estimate > 0.7
    assert found.true.estimate > found.false.estimate + 0.3


def test_paths_of_given_videos_are_recognised(eyes: Perception) -> None:
    for capability, name, least in (("C16", "motion_path", 0.75), ("C17", "camera_path", 0.5)):
        found = _errors(eyes, capability, count=6)[name]
        assert found.true.estimate > least, name
        assert found.true.estimate > found.false.estimate + 0.2, name


def test_time_reversal_is_noticed(eyes: Perception) -> None:
    fmt = VideoFormat(64, 64, 17, 8.0)
    seed = next(
        s for s in range(100)
        if sample_task("C20", s, fmt).scene.bodies[0].motion.kind in ("move_left", "move_right")
        and len(sample_task("C20", s, fmt).scene.bodies) == 1
    )  # fmt: skip
    sample = sample_task("C20", seed, fmt)
    viewer = Viewer(eyes)
    assert score_all(sample.target, sample, viewer)["motion"] == 1.0
    backwards = Clip(sample.target.frames_THWC[::-1].copy())
    assert score_all(backwards, sample, viewer)["motion"] == 0.0


def test_scattered_fragments_have_no_kind(eyes: Perception) -> None:
    fmt = VideoFormat(64, 64, 17, 8.0)
    rng = np.random.default_rng(0)
    right = []
    viewer = Viewer(eyes)
    for seed in range(6):
        sample = sample_task("C20", seed, fmt)
        tiles = sample.target.frames_THWC.reshape(17, 8, 8, 8, 8, 3).swapaxes(2, 3)
        tiles = tiles.reshape(17, 64, 8, 8, 3)[:, rng.permutation(64)]
        frames = tiles.reshape(17, 8, 8, 8, 8, 3).swapaxes(2, 3).reshape(17, 64, 64, 3)
        right.append(score_all(Clip(frames.copy()), sample, viewer)["recognisable"])
    assert sum(r or 0.0 for r in right) <= 1
