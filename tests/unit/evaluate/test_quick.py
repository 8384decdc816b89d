"""The quick evaluation on exact answers, on a random model, and from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.evaluate.cases import Case, CaseConfig
from omnireel.evaluate.makers import PipelineMaker
from omnireel.evaluate.perception import Perception, load_perception
from omnireel.evaluate.quick import Evaluation, evaluate_quick
from omnireel.evaluate.summary import lines_of, to_json
from omnireel.evaluate.wordings import VAGUE, Wording
from omnireel.generate import GeneratorPipeline
from omnireel.mvl.prompt import Prompt
from omnireel.types import Clip, VideoFormat
from tests.support.tiny_weights import save_tiny_weights

SMALL = VideoFormat(64, 64, 9, 8.0)
CAPABILITIES = ("C6", "C18")


class ExactMaker:
    """Answers every precise prompt exactly and every vague one with its source or noise."""

    def make(self, case: Case, prompt: Prompt, on_step: Callable[[int, int], None]) -> Clip:
        on_step(1, 1)
        if prompt is case.sample.prompt:
            return case.sample.target
        rng = np.random.default_rng(case.sample.seed)
        shape = case.sample.target.frames_THWC.shape
        return Clip(rng.integers(0, 255, shape, np.uint8), fps=8.0)

    def ceiling(self, clip: Clip) -> Clip:
        return clip


@pytest.fixture(scope="module")
def eyes() -> Perception:
    return load_perception()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_weights(tmp_path_factory.mktemp("weights"))


def _config(count: int = 3) -> CaseConfig:
    return CaseConfig(CAPABILITIES, count=count, held_out_share=0.5, format=SMALL)


@pytest.fixture(scope="module")
def exact(eyes: Perception) -> Evaluation:
    precise = Wording("precise", lambda sample: sample.prompt)
    return evaluate_quick(ExactMaker(), eyes, _config(), wordings=(precise, VAGUE))


def test_exact_answers_score_as_truth_does(exact: Evaluation) -> None:
    for results in exact.capabilities.values():
        for result in results:
            assert result.scores["precise"]["score"] == result.exact["truth"]


def test_noise_and_shuffled_facts_score_lower(exact: Evaluation) -> None:
    for capability in CAPABILITIES:
        for line in lines_of(exact, capability):
            if line.oracle.unit != "dB" or line.wording != "precise":
                continue
            score, shuffled = line.held_in["score"], line.held_in["shuffled"]
            assert score is not None
            assert shuffled is not None
            assert score.estimate > shuffled.estimate + 10
            noise = next(
                other
                for other in lines_of(exact, capability)
                if other.oracle is line.oracle and other.wording == "vague"
            ).held_in["score"]
            assert noise is not None
            assert noise.estimate < 15


def test_every_line_has_its_cases(exact: Evaluation) -> None:
    line = lines_of(exact, "C18")[0]
    assert line.oracle.name == "target"
    assert line.held_in["score"] is not None
    assert line.held_in["score"].count == 3
    assert line.held_out is not None
    assert line.held_out.count == 2


def test_json_is_plain_and_complete(exact: Evaluation) -> None:
    data = json.loads(json.dumps(to_json(exact), allow_nan=False))
    assert list(data["capabilities"]) == list(CAPABILITIES)
    cases = data["capabilities"]["C6"]["cases"]
    assert len(cases) == 5
    assert set(cases[0]["scores"]) == {"precise", "vague"}


def test_enhancement_is_compared_by_gsb(eyes: Perception) -> None:
    better = Wording("enhanced", lambda sample: sample.prompt)
    config = replace(_config(2), capabilities=("C18",), held_out_share=0.0)
    found = to_json(evaluate_quick(ExactMaker(), eyes, config, wordings=(VAGUE, better)))
    gsb = found["enhanced_against_vague"]
    assert gsb["good"] + gsb["same"] + gsb["bad"] == 2
    assert gsb["good"] == 2


def test_progress_ends_at_the_total(eyes: Perception) -> None:
    seen = []
    config = replace(_config(2), capabilities=("C20",), held_out_share=0.0)
    evaluate_quick(ExactMaker(), eyes, config, on_progress=seen.append)
    done = [p.done for p in seen]
    assert done == sorted(done)
    assert (done[0], done[-1], seen[-1].total) == (0.0, 2.0, 2)


def test_a_random_model_is_scored_reproducibly(weights: Path, eyes: Perception) -> None:
    maker = PipelineMaker(GeneratorPipeline.load(weights), num_inference_steps=1)
    config = replace(_config(2), capabilities=("C20",), held_out_share=0.0)
    a, b = (to_json(evaluate_quick(maker, eyes, config)) for _ in range(2))
    assert a == b
    recognisable = a["capabilities"]["C20"]["metrics"][0]
    assert recognisable["oracle"] == "recognisable"
    assert recognisable["held_in"]["score"]["estimate"] == 0.0


def test_command_writes_table_sheets_and_json(weights: Path, tmp_path: Path) -> None:
    arguments = ["eval", "quick", "--weights", str(weights), "--count", "2", "--steps", "1"]
    arguments += ["--capability", "C18", "--out", str(tmp_path / "made")]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert "target" in ran.stdout
    assert {p.name for p in (tmp_path / "made").iterdir()} == {
        "C18.png",
        "overview.png",
        "results.json",
    }
    data = json.loads((tmp_path / "made" / "results.json").read_text())
    assert data["model"]["steps"] == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--capability", "C99"], "C99"),
        (["--weights", "/nowhere"], "/nowhere"),
    ],
)
def test_a_users_mistake_is_one_line(weights: Path, wrong: list[str], words: str) -> None:
    ran = CliRunner().invoke(app, ["eval", "quick", "--weights", str(weights), *wrong])
    assert ran.exit_code in (1, 2)
    assert words in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
