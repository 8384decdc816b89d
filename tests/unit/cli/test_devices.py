"""``--device`` of the verbs that run the model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from omnireel.cli.devices import present_device
from omnireel.cli.main import app
from omnireel.errors import IntegrityError, InvalidInput
from omnireel.recipes.part_scores import MeasuredPart, PartCases, part_results
from omnireel.recipes.preference_questions import build_questions, questions_of
from tests.support.engines.random_weights import save_random_weights


def test_a_device_that_is_not_there_is_told_before_anything_is_loaded() -> None:
    assert present_device("cpu") == "cpu"
    absent = "cuda" if not torch.cuda.is_available() else f"cuda:{torch.cuda.device_count()}"
    for name in (absent, "abacus"):
        with pytest.raises(InvalidInput, match=f"no device '{name}'") as told:
            present_device(name)
        assert told.value.violations[0].field == "--device"


@pytest.mark.parametrize(
    "verb",
    [
        ["eval", "quick"],
        ["train", "preferences", "sample", "questions"],
        ["registry", "judge", "a/1", "--work", "work"],
        ["pipelines", "run", "release", "--local"],
    ],
)
def test_verbs_refuse_it_in_one_line(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, [*verb, "--device", "abacus"])
    assert found.exit_code == 2
    assert "this machine has no device 'abacus'" in " ".join(found.output.split())


def test_it_reaches_the_model(tmp_path: Path) -> None:
    """Where weights are loaded, a name that nobody knows is refused."""
    weights = save_random_weights(tmp_path / "weights")
    generator, vae = weights / "generator", weights / "vae"
    for part, folder in (("generator", generator), ("upscaler", weights / "upscaler")):
        measured = MeasuredPart(part, folder, vae, "abacus")  # type: ignore[arg-type]
        with pytest.raises(IntegrityError, match="device abacus"):
            part_results(measured, PartCases(2, ("C20",)), tmp_path / "results.json", print)
    config = questions_of(generator, prompts=1, candidates=2, round_number=1)
    with pytest.raises(IntegrityError, match="device abacus"):
        build_questions(tmp_path / "q", config, generator, vae, workers=0, device="abacus")
