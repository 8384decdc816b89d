"""Own weights beside shipped ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import InvalidInput
from omnireel.generate import GeneratorPipeline
from omnireel.shipped import SHIPPED_TINY
from services.common.stack.config import StackConfig
from services.common.stack.weights import PARTS, describe_parts, link_parts


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder that holds a generator alone: the shipped teacher, as if newly trained."""
    folder = tmp_path / "my-weights"
    folder.mkdir()
    (folder / "generator").symlink_to(SHIPPED_TINY / "teacher")
    return folder


def test_missing_parts_are_the_shipped_ones(own: Path, tmp_path: Path) -> None:
    config = StackConfig(tmp_path / "home", own_weights=own)
    teacher = (SHIPPED_TINY / "teacher").resolve()
    assert config.parts["generator"] == teacher
    assert {config.parts[part].parent for part in PARTS} == {SHIPPED_TINY.resolve()}
    assert config.weights != config.shipped
    environment = config.environment_of("generator", {})
    assert environment["OMNIREEL_GENERATOR_WEIGHTS"] == str(config.weights)
    for _ in range(2):  # the second start finds the links of the first
        link_parts(config.parts, config.weights)
    loaded = GeneratorPipeline.load(config.weights)
    assert loaded.version == GeneratorPipeline.open(teacher, SHIPPED_TINY / "vae").version
    assert describe_parts(own, "shipped") == (
        f"weights: generator from {own}; vae, upscaler, enhancer: shipped"
    )


def test_without_own_weights_nothing_is_linked(tmp_path: Path) -> None:
    config = StackConfig(tmp_path)
    assert config.weights == SHIPPED_TINY
    assert config.parts == {}


def test_folders_without_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"holds none of vae, generator.*train export"):
        StackConfig(tmp_path, own_weights=tmp_path)
    with pytest.raises(InvalidInput, match="is one component; name the folder that holds it"):
        StackConfig(tmp_path, own_weights=SHIPPED_TINY / "generator")
    result = CliRunner().invoke(
        app, ["up", "--home", str(tmp_path), "--weights", str(tmp_path / "none")]
    )
    assert result.exit_code == 2 and "weights" in result.output
