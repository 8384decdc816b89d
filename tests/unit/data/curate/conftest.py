"""Footage and a policy that fits it, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omnireel.data.checks import Policy
from omnireel.data.checks.policy import load_policy
from tests.support.footage import POLICY, mixed_folder


@pytest.fixture(scope="session")
def made_footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixed_folder(tmp_path_factory.mktemp("footage"))


@pytest.fixture
def footage(made_footage: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    folder = tmp_path / "footage"
    shutil.copytree(made_footage, folder)
    return folder


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    path = tmp_path / "small.yaml"
    path.write_text(POLICY + "  exact_duplicate: on\n")
    return load_policy(str(path))
