"""Trials and statistics, with simulated voters whose bias is known."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import InvalidInput
from omnireel.evaluate.arena.oracle import judge_by_oracle
from omnireel.evaluate.arena.page import write_arena_page
from omnireel.evaluate.arena.report import arena_report
from omnireel.evaluate.arena.statistics import (
    Outcome,
    davidson,
    detectable_difference,
    krippendorff_alpha,
)
from omnireel.evaluate.arena.text import arena_text
from omnireel.evaluate.arena.trials import (
    EXACT,
    ArenaConfig,
    Trial,
    clip_of,
    draw_trials,
    open_contest,
)
from omnireel.evaluate.arena.votes import Votes, read_votes
from omnireel.evaluate.gsb import Verdict
from omnireel.evaluate.pages.answers import Choice
from omnireel.types import Clip

CASES = [f"C20-{n:02d}" for n in range(200)]
MODELS = ("a", "b", "c")
STRENGTH = {"a": 1.0, "b": 0.0, "c": -1.0}
Voter = Callable[[Trial, np.random.Generator], Choice]


def _davidson_voter(trial: Trial, rng: np.random.Generator) -> Choice:
    """Prefers as the model says, with ln ν = -0.5; knows gold."""
    if trial.kind == "gold":
        return "first" if trial.left == EXACT else "second"
    left, right = STRENGTH[trial.left], STRENGTH[trial.right]
    odds = np.exp([left, -0.5 + (left + right) / 2, right])
    choices: tuple[Choice, ...] = ("first", "tie", "second")
    return choices[int(rng.choice(3, p=odds / odds.sum()))]


def _left_voter(trial: Trial, rng: np.random.Generator) -> Choice:
    return "first"


def _votes(trials: Sequence[Trial], voter: Voter, name: str, seed: int = 0) -> Votes:
    rng = np.random.default_rng(seed)
    return Votes(name, {n: voter(trial, rng) for n, trial in enumerate(trials)})


def test_sides_are_balanced_and_checks_are_among_the_trials() -> None:
    trials = draw_trials(MODELS, CASES, CASES, ArenaConfig(trials=300))
    counts = Counter(trial.kind for trial in trials)
    assert counts == {"real": 300, "repeat": 30, "gold": 30}
    for first, second in (("a", "b"), ("a", "c"), ("b", "c")):
        real = [t for t in trials if t.kind == "real" and {t.left, t.right} == {first, second}]
        assert len(real) == 100
        assert sum(t.left == first for t in real) == 50
    assert sum(t.left == EXACT for t in trials if t.kind == "gold") == 15
    real_trials = {(t.case, t.left, t.right) for t in trials if t.kind == "real"}
    assert all((t.case, t.right, t.left) in real_trials for t in trials if t.kind == "repeat")
    assert trials == draw_trials(MODELS, CASES, CASES, ArenaConfig(trials=300))
    assert trials != draw_trials(MODELS, CASES, CASES, ArenaConfig(trials=300, seed=1))


def test_strengths_of_simulated_voters_are_found_again() -> None:
    trials = draw_trials(MODELS, CASES, CASES, ArenaConfig(trials=600))
    report = arena_report(MODELS, trials, [_votes(trials, _davidson_voter, "v")], least_gold=0.8)
    for name, true in STRENGTH.items():
        found = report["people"]["strengths"][name]
        assert found["estimate"] == pytest.approx(true, abs=0.35)
        assert found["low"] < true < found["high"]
    assert report["people"]["tie"] == pytest.approx(-0.5, abs=0.4)
    first = report["people"]["pairs"][0]
    assert (first["first"], first["second"]) == ("a", "b")
    assert first["good"] > first["bad"]
    assert first["gsb"]["low"] > 1.0
    assert first["good"] + first["same"] + first["bad"] == 200


def test_who_always_says_left_moves_nothing_and_is_found_out() -> None:
    trials = draw_trials(("a", "b"), CASES, CASES, ArenaConfig(trials=100))
    biased = _votes(trials, _left_voter, "lefty")
    honest = _votes(trials, _davidson_voter, "honest")
    report = arena_report(("a", "b"), trials, [biased, honest], least_gold=0.8)
    lefty, fair = report["judges"]
    assert (lefty["gold"], lefty["steady"], lefty["left"]) == (0.5, 0.0, 1.0)
    assert (lefty["kept"], fair["kept"]) == (False, True)
    assert fair["gold"] == 1.0
    assert "lefty: 120 answers, gold right 50%, same when repeated 0%, left 100%; left out" in (
        arena_text(report)
    )
    # Even if such votes counted, balanced sides would turn them into a draw.
    alone = arena_report(("a", "b"), trials, [biased], least_gold=0.0)
    assert (alone["people"]["pairs"][0]["good"], alone["people"]["pairs"][0]["bad"]) == (50, 50)
    with pytest.raises(InvalidInput, match="failed the gold trials"):
        arena_report(("a", "b"), trials, [biased], least_gold=0.8)


def test_ties_and_wins_have_the_closed_form_of_two_systems() -> None:
    verdicts = [Verdict.GOOD] * 60 + [Verdict.SAME] * 20 + [Verdict.BAD] * 20
    outcomes = [Outcome("a", "b", str(n), v) for n, v in enumerate(verdicts)]
    found = davidson(outcomes)
    gap = found.by_model["a"].estimate - found.by_model["b"].estimate
    # With one pair the fit is exact: p_a / p_b = G / B and ν = S / sqrt(G B).
    assert gap == pytest.approx(math.log(60 / 20), abs=0.01)
    assert found.tie == pytest.approx(math.log(20 / math.sqrt(60 * 20)), abs=0.01)


def test_a_system_that_never_loses_has_a_finite_strength() -> None:
    found = davidson([Outcome("a", "b", str(n), Verdict.GOOD) for n in range(10)])
    assert 1.0 < found.by_model["a"].estimate < 10.0


def test_alpha_is_one_for_agreement_and_about_zero_for_chance() -> None:
    rng = np.random.default_rng(0)
    values = {n: float(v) for n, v in enumerate(rng.integers(-1, 2, 2000))}
    other = {n: float(v) for n, v in enumerate(rng.integers(-1, 2, 2000))}
    assert krippendorff_alpha([values, values]) == 1.0
    assert krippendorff_alpha([values, other]) == pytest.approx(0.0, abs=0.06)
    assert krippendorff_alpha([values]) is None
    assert krippendorff_alpha([{1: 0.0}, {1: 0.0}]) is None


def test_alpha_of_the_textbook_example() -> None:
    """Three coders, fifteen units, gaps; known with the interval metric as 0.811."""
    rows = (
        "* * * * * 3 4 1 2 1 1 3 3 * 3",
        "1 * 2 1 3 3 4 3 * * * * * * *",
        "* * 2 1 3 4 4 * 2 1 1 3 3 * 4",
    )
    judges = [{n: float(v) for n, v in enumerate(row.split()) if v != "*"} for row in rows]
    found = krippendorff_alpha(judges)
    assert found == pytest.approx(0.811, abs=0.001)


def test_more_prompts_show_smaller_differences() -> None:
    rng = np.random.default_rng(0)
    verdicts = list(Verdict)
    outcomes = [Outcome("a", "b", str(n), verdicts[int(rng.integers(3))]) for n in range(400)]
    few, many = detectable_difference(outcomes[:100]), detectable_difference(outcomes)
    assert many == pytest.approx(few / 2, rel=0.1)
    # 2.80 standard errors of a variance of 2/3.
    assert many == pytest.approx(2.80 * math.sqrt(2 / 3 / 400), rel=0.05)


SCORES = {"good": (0.9, 0.8, 0.7, 0.5), "poor": (0.2, 0.3, 0.4, 0.52)}


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, list[Path]]:
    """Two finished runs of four cases; the first scores higher in three of them."""
    from omnireel.media.sprites import write_sprite

    for name, own in SCORES.items():
        folder = tmp_path / name
        for part in ("cases", "clips"):
            (folder / part).mkdir(parents=True)
        model = {"generator": name, "vae": "v", "num_inference_steps": 1, "words": "precise",
                 "seed": 0}  # fmt: skip
        manifest = {"bench": {"version": 1, "index": "x"}, "model": model, "oracles": "o"}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        for n, score in enumerate(own):
            clips: list[dict[str, Any]] = []
            for role in ("target", "result"):
                level = 10 * n + (100 if name == "good" else 150) + (50 if role == "target" else 0)
                frames = np.full((5, 16, 16, 3), level, np.uint8)
                sheet, shape = write_sprite(Clip(frames))
                file = f"C10-{n:02d}-{role}.webp"
                (folder / "clips" / file).write_bytes(sheet)
                clips.append({"role": role, "name": "", "file": file, **shape})
            record = {"id": f"C10-{n:02d}", "capability": "C10", "prompt": f"prompt {n}",
                      "split": "train", "tags": {}, "trained": True, "evaluations": 1, "cost": {},
                      "answers": {"matte": {"score": score}}, "clips": clips}  # fmt: skip
            (folder / "cases" / f"C10-{n:02d}.json").write_text(json.dumps(record))
    return {name: [tmp_path / name] for name in SCORES}


def _copy(run: Path, name: str, **model: Any) -> Path:
    """A run of another name, whose manifest says another thing about its model."""
    folder = run.with_name(name)
    shutil.copytree(run, folder)
    _change_manifest(folder, lambda manifest: manifest["model"].update(model))
    return folder


def _change_manifest(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def _arena(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["eval", "arena", *map(str, arguments)])


def test_the_oracle_judges_by_scores_with_a_margin(runs: dict[str, list[Path]]) -> None:
    contest = open_contest(runs, ArenaConfig(trials=0, repeats=0, gold=0))
    judged = judge_by_oracle(contest, 0.05)
    report = arena_report(("good", "poor"), contest.trials, [], judged, least_gold=0.8)
    assert report["people"] is None and report["judges"] == []
    (pair,) = report["oracle"]["pairs"]
    assert (pair["good"], pair["same"], pair["bad"]) == (3, 1, 0)
    assert pair["gsb"]["estimate"] == 4.0


def test_the_page_is_blind_and_its_answers_come_back(
    runs: dict[str, list[Path]], tmp_path: Path
) -> None:
    contest = open_contest(runs, ArenaConfig(trials=0, gold=0.5))
    write_arena_page(contest, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    data = json.loads(text.split('id="data">', 1)[1].split("</script>", 1)[0])
    assert "good" not in json.dumps({k: v for k, v in data.items() if k != "pairs"})
    assert {key for pair in data["pairs"] for key in pair} == {"prompt", "given", "first", "second"}
    assert len(data["pairs"]) == len(contest.trials) == 6
    answers = {
        str(n): "first" if t.left in ("good", EXACT) else "second"
        for n, t in enumerate(contest.trials)
    }
    saved = {
        "format_version": 1,
        "questions": data["questions"],
        "judge": "Ann",
        "answers": answers,
    }
    (tmp_path / "ann.json").write_text(json.dumps(saved))
    votes = read_votes(contest, [tmp_path / "ann.json"])
    report = arena_report(("good", "poor"), contest.trials, votes, least_gold=0.8)
    assert (report["people"]["pairs"][0]["good"], report["judges"][0]["gold"]) == (4, 1.0)
    other = open_contest(runs, ArenaConfig(trials=0, seed=5))
    with pytest.raises(InvalidInput, match="answers other questions"):
        read_votes(other, [tmp_path / "ann.json"])
    with pytest.raises(InvalidInput, match="Ann answers twice"):
        read_votes(contest, [tmp_path / "ann.json"] * 2)


def test_further_runs_are_further_draws_of_the_same_prompts(runs: dict[str, list[Path]]) -> None:
    (good,), (poor,) = runs["good"], runs["poor"]
    # The second draws are those of the other system, so that the two are even.
    better, worse = _copy(poor, "g1", generator="good", seed=1), _copy(good, "p1", generator="poor",
                                                                       seed=1)  # fmt: skip
    both = {"good": [good, better], "poor": [poor, worse]}
    contest = open_contest(both, ArenaConfig(trials=0, repeats=0, gold=0))
    assert {(t.case, t.draw) for t in contest.trials} == {
        (f"C10-{n:02d}", draw) for n in range(4) for draw in range(2)
    }
    judged = judge_by_oracle(contest, 0.05)
    report = arena_report(("good", "poor"), contest.trials, [], judged, least_gold=0.8)
    (pair,) = report["oracle"]["pairs"]
    assert (report["oracle"]["prompts"], pair["good"], pair["same"], pair["bad"]) == (4, 3, 2, 3)
    for trial in contest.trials:
        path, _ = clip_of(contest, trial, "left")
        assert path.parent == both[trial.left][trial.draw] / "clips"
    with pytest.raises(InvalidInput, match="good 1, poor 2"):
        open_contest({"good": [good], "poor": [poor, worse]}, ArenaConfig())


@pytest.mark.parametrize("name", ["exact", "wrong"])
def test_runs_may_be_called_as_the_sides_of_gold_trials(
    runs: dict[str, list[Path]], name: str
) -> None:
    contest = open_contest({name: runs["good"], "poor": runs["poor"]}, ArenaConfig(trials=0))
    for trial in contest.trials:
        if trial.kind != "gold":
            side: Literal["left", "right"] = "left" if trial.left == name else "right"
            path, clip = clip_of(contest, trial, side)
            assert clip["role"] == "result"
            assert path == runs["good"][0] / "clips" / f"{trial.case}-result.webp"


def test_only_runs_that_belong_together_are_joined(runs: dict[str, list[Path]]) -> None:
    (good,), (poor,) = runs["good"], runs["poor"]
    again = _copy(good, "again")
    with pytest.raises(InvalidInput, match=r"different systems \(another generator\)"):
        open_contest({"a": [good, poor], "b": [again, _copy(good, "g1", seed=1)]}, ArenaConfig())
    with pytest.raises(InvalidInput, match="the seeds 0, 0"):
        open_contest({"a": [good, again], "b": [poor, _copy(poor, "p1", seed=1)]}, ArenaConfig())


def test_scores_of_different_oracles_are_not_compared(runs: dict[str, list[Path]]) -> None:
    for changed in ({"oracles": "other"}, {"oracles": "o", "oracles_version": 2}):
        _change_manifest(runs["poor"][0], lambda manifest, to=changed: manifest.update(to))
        contest = open_contest(runs, ArenaConfig(trials=0))
        with pytest.raises(InvalidInput, match="scored by different oracles"):
            judge_by_oracle(contest, 0.05)


def test_one_run_by_two_paths_is_found_out(
    runs: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = _arena("good", runs["good"][0], "--out", tmp_path / "out")
    assert said.exit_code == 2 and "one run is given twice" in said.output


def test_one_prompt_and_verdicts_that_are_alike_have_no_bounds() -> None:
    trials = [Trial("real", case, "a", "b") for case in CASES[:25]]

    def report(choices: dict[int, Choice]) -> dict[str, Any]:
        return arena_report(("a", "b"), trials, [Votes("v", choices)], least_gold=0.8)

    def told(choices: dict[int, Choice]) -> tuple[dict[str, Any], dict[str, Any]]:
        people = report(choices)["people"]
        return people["pairs"][0]["gsb"], people["strengths"]

    worse = report(dict.fromkeys(range(25), "second"))
    gsb, strengths = told(dict.fromkeys(range(25), "second"))
    assert gsb == {"estimate": 0.0, "low": None, "high": None, "count": 25}
    assert strengths["b"]["low"] is None and strengths["b"]["estimate"] > 1
    assert "GSB 0.00 [bounds unknown]" in arena_text(worse)
    assert "GSB inf [bounds unknown]" in arena_text(report(dict.fromkeys(range(25), "first")))
    gsb, strengths = told({0: "tie"})
    assert gsb["low"] is None and strengths["a"]["high"] is None
    mixed: dict[int, Choice] = {0: "first", 1: "first", 2: "tie"}
    assert "GSB 3.00 [1.00..inf]" in arena_text(report(mixed))
    _, strengths = told(mixed)
    assert strengths["a"]["low"] < strengths["a"]["high"]


def test_who_always_wins_has_no_bounds_among_others_that_have() -> None:
    verdicts = [Verdict.GOOD, Verdict.BAD]
    found = davidson(
        [Outcome("a", "b", str(n), Verdict.GOOD) for n in range(8)]
        + [Outcome("b", "c", str(n), verdicts[n % 2]) for n in range(8)]
    ).by_model
    assert found["a"].bounds is None
    assert found["b"].bounds is not None and found["c"].bounds is not None


DAMAGE: dict[str, tuple[str, str | None]] = {
    "truncated record": ("cases/C10-01.json", '{"id": "C10-'),
    "record without answers": ("cases/C10-01.json", '{"id": "C10-01"}'),
    "record that is a list": ("cases/C10-01.json", "[]"),
    "score that is no number": ("cases/C10-01.json", '{"answers": {"matte": {"score": NaN}}}'),
    "lost clip": ("clips/C10-01-result.webp", None),
    "null as manifest": ("manifest.json", "null"),
    "manifest without a model": ("manifest.json", '{"bench": {"version": 1, "index": "x"}}'),
    "manifest with an empty model": (
        "manifest.json", '{"bench": {"version": 1, "index": "x"}, "model": {}, "oracles": "o"}',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_files_of_a_run_are_named_with_the_remedy(
    runs: dict[str, list[Path]], tmp_path: Path, what: str
) -> None:
    name, content = DAMAGE[what]
    path = runs["good"][0] / name
    path.unlink() if content is None else path.write_text(content)
    said = _arena(*runs["good"], *runs["poor"], "--trials", "0", "--out", tmp_path / "out")
    assert said.exit_code == 1
    told = " ".join(said.output.split())
    assert Path(name).name in told and "is damaged" in told and "remove " in told
    assert "fault of omnireel" not in told


def test_one_run_is_no_arena(runs: dict[str, list[Path]]) -> None:
    with pytest.raises(InvalidInput, match="at least two runs"):
        open_contest({"good": runs["good"]}, ArenaConfig())
