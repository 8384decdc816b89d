"""Cards as commands that can be run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from omnireel.cli import train
from omnireel.errors import FailedPrecondition, NotFound
from omnireel.recipes.reproduce import component_of, reproduction
from omnireel.registry import save_component


def _component(folder: Path, **card: Any) -> Path:
    return save_component(
        folder, kind="vae", config={}, state_dict={"w": torch.zeros(2)}, card=card
    )


def test_every_stage_starts_from_the_one_before(tmp_path: Path) -> None:
    component = _component(
        tmp_path / "c",
        recipe="vae-tiny-decoder",
        command="omnireel train vae-tiny-decoder --init-from runs/gone --out runs/b --max-minutes 5"
        "\nomnireel train vae-tiny-decoder --out runs/b --resume",
        earlier=[{"recipe": "vae-tiny", "command": "omnireel train vae-tiny --out runs/a"}],
    )
    out = tmp_path / "again"
    steps = [" ".join(step.arguments) for step in reproduction(component, out)]
    first, second = out / "1-vae-tiny", out / "2-vae-tiny-decoder"
    assert steps == [
        f"train vae-tiny --out {first}",
        f"train export {first} {first}-component",
        f"train vae-tiny-decoder --init-from {first}-component --out {second} --max-minutes 5",
        f"train vae-tiny-decoder --out {second} --resume",
        f"train export {second} {second}-component",
    ]


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"recipe": "vae-tiny"}, "has no command in its card"),
        ({"command": "python -m something.else"}, "no recipe of this release"),
        ({"command": "omnireel train never-heard-of"}, "no recipe of this release"),
        ({"command": "omnireel train vae-tiny --init-from runs/gone"}, "which is not here"),
        ({"command": "omnireel train vae-tiny --set data.cache=runs/cache/x"}, "reads data.cache"),
    ],
)
def test_what_cannot_be_repeated_is_refused(
    tmp_path: Path, card: dict[str, Any], said: str
) -> None:
    with pytest.raises(FailedPrecondition, match=said):
        reproduction(_component(tmp_path / "c", **card), tmp_path / "again")


def test_the_command_shows_the_chain_of_a_shipped_component(tmp_path: Path) -> None:
    arguments = ["reproduce", "vae", "--dry-run", "--out", str(tmp_path / "again")]
    said = CliRunner().invoke(train.app, arguments)
    assert said.exit_code == 0, said.output
    assert "card: omnireel train vae-tiny " in said.output
    assert f"runs: omnireel train export {tmp_path / 'again' / '1-vae-tiny'}" in said.output
    assert not (tmp_path / "again").exists()


def test_an_unknown_component_is_named() -> None:
    with pytest.raises(NotFound, match="use embedder, enhancer, generator, teacher, upscaler, vae"):
        component_of("nothing")
