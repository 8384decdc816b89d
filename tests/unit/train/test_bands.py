"""A run whose held-out metrics leave their bands goes back, and on with other batches."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.recipes import build_recipe
from omnireel.train import TrainerConfig, ValidationReport
from omnireel.train.bands import outside
from omnireel.train.checkpoint import load_checkpoint
from tests.support.toy_training import ToyObjective, toy_trainer

BANDS = {"motion": (0.5, 2.0)}
OFTEN: dict[str, Any] = {"validate_every": 2, "checkpoint_every": 2, "bands": BANDS}


class Scripted(ToyObjective):
    """Motion is what the script says of each validation, and then 1."""

    def __init__(self, script: Sequence[float]) -> None:
        super().__init__()
        self.script = list(script)

    def validate(self) -> ValidationReport:
        super().validate()
        return ValidationReport({"motion": self.script.pop(0) if self.script else 1.0})


def notices(run: Path) -> list[tuple[int, str]]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(r["step"], r["message"]) for r in rows if r["event"] == "notice"]


def test_a_run_goes_back_to_what_was_validated_and_leaves_out_the_batches(tmp_path: Path) -> None:
    objective = Scripted([1.0, 1.9, 2.1])
    result = toy_trainer(tmp_path, objective=objective, **OFTEN).fit()
    assert (result.step, result.skipped_steps) == (12, 1)
    assert notices(tmp_path) == [
        (
            6,
            "held-out motion 2.1 is outside 0.5 to 2; back to step 4, leaving out the batches "
            "since",
        )
    ]
    # Steps 4 and 5 were made again, with the batches of 6 and 7: the whole run was 14 long.
    assert load_checkpoint(tmp_path).state["data_offset"] == 2
    assert objective.calls == 2 * 14 - 2 * 2  # a return takes the objective's count back as well


def test_the_last_validation_counts_as_well(tmp_path: Path) -> None:
    result = toy_trainer(tmp_path, objective=Scripted([1.0] * 5 + [0.4]), **OFTEN).fit()
    assert (result.step, result.skipped_steps) == (12, 1)
    assert notices(tmp_path)[0][0] == 12
    assert load_checkpoint(tmp_path).state["data_offset"] == 2


def test_a_run_that_leaves_its_bands_again_and_again_ends(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, objective=Scripted([1.0] + [9.0] * 9), max_skips=2, **OFTEN)
    with pytest.raises(FailedPrecondition, match=r"outside 0\.5 to 2 at step 4 \(3 such") as caught:
        trainer.fit()
    assert caught.value.reason == "VALIDATION_FAILED"
    assert load_checkpoint(tmp_path).step == 2


def test_nowhere_to_return_to_stops_the_run(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, objective=Scripted([math.nan]), **OFTEN)
    with pytest.raises(FailedPrecondition, match=r"motion nan .* no checkpoint to go back to"):
        trainer.fit()


def test_what_is_outside_is_named() -> None:
    bands = {"motion": (0.5, 2.0), "gap": (0.0, 1.0)}
    assert outside({"motion": 0.5, "gap": 1.0, "loss": 9.0}, bands) == ""
    said = outside({"motion": 0.4, "gap": math.inf}, bands)
    assert said.startswith("held-out motion 0.4 is outside 0.5 to 2, held-out gap inf is outside")
    with pytest.raises(InvalidInput, match="has no motion; bands are for gap, loss"):
        outside({"gap": 0.5, "loss": 1.0}, BANDS)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"bands": {"motion": (2.0, 0.5)}}, r"\[least, largest\]"),
        (
            {"bands": BANDS, "validate_every": 4, "checkpoint_every": 6},
            "multiple of validate_every",
        ),
    ],
)
def test_bands_that_hold_nothing_are_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        TrainerConfig(num_steps=1, **changes)


@pytest.mark.parametrize("name", ["distribution-tiny", "distribution-tiny-long"])
def test_distribution_matching_watches_its_student(name: str) -> None:
    trainer = build_recipe(name).trainer
    assert trainer.bands.keys() == {"saturation", "motion", "diversity"}
    assert trainer.validate_every < 1000
