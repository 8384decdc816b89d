"""The top of a ladder with a real registry; what was measured is given, as a climb leaves it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from omnireel.errors import InvalidInput
from omnireel.evaluate.bootstrap import mean_interval
from omnireel.evaluate.gate import GateConfig, Measured, decide
from omnireel.recipes.climb import RungResult
from omnireel.recipes.ladder import Rung
from omnireel.recipes.ladder_gates import PartGate, build_gates
from omnireel.recipes.ladder_promotion import PartOutcome, promote_parts
from omnireel.recipes.ladder_versions import LadderVersions
from omnireel.recipes.part_scores import MeasuredPart, PartCases, part_results
from omnireel.registry import load_component, verify
from omnireel.registry.versions import Registry, weights_hash
from tests.support.engines.random_weights import save_random_weights
from tests.support.registry import fresh_registry, small_component
from tests.support.results import results_of

pytestmark = pytest.mark.filterwarnings("ignore")

CASES = PartCases(count=8)
GATE = PartGate(
    "generator",
    GateConfig(required={"mean": 0.5}, no_worse={"mean": 0.05}),
    teacher=GateConfig(gsb=0.85),
    cases=CASES,
)


class Climb:
    """Two rungs, a teacher and its student, whose scores the test decides."""

    def __init__(self, root: Path, uri: str) -> None:
        self.root, self.uri, self.count = root, uri, 0
        self.champion_seed = 0

    def results(self, component: Path, score: float, path: Path, seed: int = 0) -> None:
        data = results_of(weights_hash(verify(component)), [score] * 8, seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**data, "part_cases": {**asdict(CASES), "capabilities": []}}))

    def top(self, score: float, teacher_score: float, champion: str = "") -> list[PartOutcome]:
        """Climb anew (other weights, the same autoencoder) and come to the top."""
        self.count += 1
        folder = self.root / str(self.count)
        vae = small_component(self.root / "vae", kind="vae")
        registered = LadderVersions("test", self.uri)
        rungs = [
            Rung("vae", "", "vae", "vae-debug", "vae-debug"),
            Rung("teacher", "", "generator", "generator-debug", "generator-debug"),
            Rung("student", "", "generator", "x", "x", start="teacher", teacher="teacher"),
        ]
        components = {
            "vae": vae,
            "teacher": small_component(folder / "teacher", self.count + 0.5),
            "student": small_component(folder / "student", float(self.count)),
        }
        found, versions = [], {}
        for rung in rungs:
            stands_on = {} if rung.part == "vae" else {"vae": vae}
            result = RungResult(
                rung, components[rung.name], {}, was_done=False, stands_on=stands_on
            )
            versions[rung.name] = registered.register(result)
            found.append(result)
        gate = folder / "gate"
        self.results(components["student"], score, gate / "student.json")
        self.results(components["teacher"], teacher_score, gate / "teacher.json")
        if champion:
            home = gate / "champions" / champion.replace("/", "-")
            made = home / "results.json"
            self.results(self.root / "champion", 0.8, made, self.champion_seed)
        return promote_parts(found, versions, [GATE], gate, self.uri)


@pytest.fixture
def climb(tmp_path: Path) -> Climb:
    return Climb(tmp_path, fresh_registry(tmp_path / "mlflow"))


def champion(climb: Climb) -> str:
    found = Registry.open(climb.uri).champion("omnireel-test-generator")
    return found.ref if found else ""


def test_a_bar_that_fails_is_named_with_its_numbers_and_nothing_moves(climb: Climb) -> None:
    (outcome,) = climb.top(score=0.3, teacher_score=0.3)
    assert not outcome.promoted and champion(climb) == ""
    assert outcome.verdict is not None
    failed = [reason.line for reason in outcome.verdict.reasons if not reason.passed]
    assert failed == ["mean is 0.3 [0.3..0.3]: the lower bound is not at least 0.5"]
    version = Registry.open(climb.uri).resolve(outcome.version.ref)
    assert version.gate == "refused" and version.gate_reasons == outcome.verdict.lines


def test_a_student_that_loses_to_its_teacher_is_refused(climb: Climb) -> None:
    (outcome,) = climb.top(score=0.6, teacher_score=0.9)
    assert not outcome.promoted and outcome.verdict is not None
    (failed,) = [reason.line for reason in outcome.verdict.reasons if not reason.passed]
    assert failed.startswith("GSB against the teacher is 0 ")
    assert failed.endswith("0 good, 0 same, 8 bad")


def test_the_first_is_promoted_and_the_next_is_held_against_it(climb: Climb) -> None:
    (first,) = climb.top(score=0.8, teacher_score=0.8)
    assert first.promoted and first.previous == ""
    assert champion(climb) == first.version.ref == "omnireel-test-generator/2"
    small_component(climb.root / "champion", 1.0)
    (worse,) = climb.top(score=0.7, teacher_score=0.7, champion=first.version.ref)
    assert not worse.promoted and worse.previous == first.version.ref
    assert champion(climb) == first.version.ref
    assert worse.verdict is not None
    assert any("minus the champion's is -0.1" in line for line in worse.verdict.lines)
    (better,) = climb.top(score=0.9, teacher_score=0.9, champion=first.version.ref)
    assert better.promoted and better.previous == first.version.ref
    assert champion(climb) == better.version.ref


def test_the_champion_itself_is_not_judged_again(climb: Climb) -> None:
    climb.top(score=0.8, teacher_score=0.8)
    climb.count = 0
    (again,) = climb.top(score=0.1, teacher_score=0.1)
    assert again.promoted and again.verdict is None
    assert Registry.open(climb.uri).resolve(again.version.ref).gate == "passed"


def test_a_champion_on_other_cases_refuses_rather_than_passes(climb: Climb) -> None:
    (first,) = climb.top(score=0.8, teacher_score=0.8)
    small_component(climb.root / "champion", 1.0)
    climb.champion_seed = 100
    (outcome,) = climb.top(score=0.9, teacher_score=0.9, champion=first.version.ref)
    assert not outcome.promoted and outcome.verdict is not None
    assert "could not be compared with" in outcome.verdict.lines[0]
    assert champion(climb) == first.version.ref


@pytest.mark.parametrize("part", ["generator", "upscaler"])
def test_parts_are_measured_once(tmp_path: Path, part: str) -> None:
    weights = save_random_weights(tmp_path / "weights")
    measured = MeasuredPart(part, weights / part, weights / "vae")  # type: ignore[arg-type]
    said: list[str] = []
    path = tmp_path / "gate" / f"{part}.json"
    cases = PartCases(2, ("C20",))
    first = part_results(measured, cases, path, said.append)
    assert part_results(measured, cases, path, said.append) == json.loads(path.read_text())
    assert len(said) == 1
    part_results(measured, PartCases(3, ("C20",)), path, said.append)
    assert len(said) == 2
    (found,) = first["capabilities"].values()
    scores = [case["scores"]["precise"]["score"] for case in found["cases"]]
    if part == "upscaler":
        assert all(row["better"] == float(row["gain"] > 0) for row in scores)
        assert max(row["gain"] for row in scores) < 0, "random weights sharpen nothing"
    assert first["model"]["version"] == weights_hash(load_component(weights / part).card)


def test_what_cannot_be_measured_says_so(tmp_path: Path) -> None:
    weights = save_random_weights(tmp_path / "weights")
    for measured, words in (
        (MeasuredPart("vae", weights / "vae"), "no evaluation"),
        (MeasuredPart("generator", weights / "generator"), "needs the autoencoder"),
    ):
        with pytest.raises(InvalidInput, match=words):
            part_results(measured, PartCases(2), tmp_path / "x.json", print)
    with pytest.raises(InvalidInput, match="at least 2"):
        PartCases(1)


def test_a_smoke_gate_has_the_same_bars() -> None:
    full, smoke = build_gates("tiny"), build_gates("tiny", smoke=True)
    assert [(g.part, g.rules, g.teacher) for g in full] == [
        (g.part, g.rules, g.teacher) for g in smoke
    ]
    assert all(g.cases.count >= g.rules.min_count for g in (*full, *smoke))
    assert all(a.cases.count <= b.cases.count for a, b in zip(smoke, full, strict=True))
    with pytest.raises(InvalidInput, match="huge"):
        build_gates("huge")


def test_a_smoke_gate_has_cases_enough_for_what_the_shipped_enhancer_reaches() -> None:
    gate = next(g for g in build_gates("tiny", smoke=True) if g.part == "enhancer")

    def passes(used: int, count: int) -> bool:
        share = mean_interval([1.0] * used + [0.0] * (count - used))
        scores = dict.fromkeys(gate.rules.required, share)
        return decide(Measured("sha256", scores), gate.rules).passed

    assert gate.cases.count == 24 and passes(18, 24)
    assert not passes(5, 8), "the first eight prompts are harder than the others"
