from __future__ import annotations

import stat
from pathlib import Path

import pytest

from omnireel.errors import NotFound
from omnireel.files import atomic_path, atomic_write


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_path(target) as partial:
        assert partial.suffix == ".mp4"
        partial.write_bytes(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_success_replaces_with_ordinary_permissions(tmp_path: Path) -> None:
    target, plain = tmp_path / "a", tmp_path / "b"
    atomic_write(target, b"one")
    atomic_write(target, b"two")
    plain.write_bytes(b"")
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"there is no folder .*missing"):
        atomic_write(tmp_path / "missing" / "clip.mp4", b"x")
