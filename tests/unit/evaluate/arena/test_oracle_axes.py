"""People and the oracles are told apart; the oracles have axes and margins; noise is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import InvalidInput
from omnireel.evaluate.arena.noise import noise_text, seed_noise
from omnireel.evaluate.arena.oracle import judge_by_oracle
from omnireel.evaluate.arena.report import arena_report
from omnireel.evaluate.arena.text import arena_text
from omnireel.evaluate.arena.trials import ArenaConfig, Contest, open_contest
from omnireel.evaluate.arena.votes import Votes
from omnireel.evaluate.pages.answers import Choice

NAMES = ("new", "old")
Answers = Mapping[str, float]


def run(folder: Path, cases: Sequence[Answers], *, seed: int = 0, generator: str = "g") -> Path:
    """A finished run of one answer for each oracle named, case by case; no clips."""
    (folder / "cases").mkdir(parents=True)
    model = {"generator": generator, "vae": "v", "num_inference_steps": 1, "words": "precise",
             "seed": seed}  # fmt: skip
    manifest = {"bench": {"version": 1, "index": "x"}, "model": model, "oracles": "o"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for n, answers in enumerate(cases):
        record = {"id": f"C20-{n:02d}", "capability": "C20", "prompt": "", "split": "train",
                  "tags": {}, "trained": True, "evaluations": 1, "cost": {}, "clips": [],
                  "answers": {k: {"score": v} for k, v in answers.items()}}  # fmt: skip
        (folder / "cases" / f"{record['id']}.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def contest(tmp_path: Path) -> Contest:
    """The new one follows prompts better and moves worse, by more and more."""
    steps = [0.0, 0.04, 0.08, 0.3]
    new = run(tmp_path / "new", [{"color": 0.5 + s, "motion": 0.5} for s in steps], generator="n")
    old = run(tmp_path / "old", [{"color": 0.5, "motion": 0.5 + s / 2} for s in steps])
    return open_contest({"new": [new], "old": [old]}, ArenaConfig(trials=0, repeats=0, gold=0))


def people(contest: Contest, better: str, name: str = "Ann") -> Votes:
    choices: dict[int, Choice] = {
        n: "first" if trial.left == better else "second" for n, trial in enumerate(contest.trials)
    }
    return Votes(name, choices)


def test_votes_of_people_and_oracle_are_not_added_up(contest: Contest) -> None:
    judged = judge_by_oracle(contest, 0.05)
    votes = [people(contest, "old", "Ann"), people(contest, "old", "Ben")]
    report = arena_report(NAMES, contest.trials, votes, judged, least_gold=0.8)
    (crowd,), (machine,) = report["people"]["pairs"], report["oracle"]["pairs"]
    assert (crowd["good"], crowd["same"], crowd["bad"]) == (0, 0, 8)
    assert (machine["good"], machine["same"], machine["bad"]) == (1, 3, 0)
    assert report["people_and_oracle"] < 0
    assert {judge["name"] for judge in report["judges"]} == {"Ann", "Ben"}
    text = arena_text(report)
    assert "people:" in text and "oracle (tie margin 0.05):" in text
    assert "agreement of people with the oracle" in text
    alone = arena_report(NAMES, contest.trials, votes, least_gold=0.8)
    assert alone["people"]["pairs"] == report["people"]["pairs"]
    assert alone["oracle"] is None and alone["people_and_oracle"] is None


def test_a_person_may_be_called_oracle(contest: Contest) -> None:
    judged = judge_by_oracle(contest, 0.05)
    votes = [people(contest, "new", "oracle")]
    report = arena_report(NAMES, contest.trials, votes, judged, least_gold=0.8)
    assert report["people"]["pairs"][0]["good"] == 4
    assert report["oracle"]["pairs"][0]["good"] == 1


def test_every_family_is_an_axis(contest: Contest) -> None:
    judged = judge_by_oracle(contest, 0.05)
    votes = [people(contest, "new")]
    axes = arena_report(NAMES, contest.trials, votes, judged, least_gold=0.8)["oracle"]["axes"]
    assert set(axes) == {"dynamics", "prompt"}, "nothing was asked of the other two"
    (prompt,), (dynamics,) = axes["prompt"]["pairs"], axes["dynamics"]["pairs"]
    assert (prompt["good"], prompt["same"], prompt["bad"]) == (2, 2, 0)
    assert (dynamics["good"], dynamics["same"], dynamics["bad"]) == (0, 3, 1)
    assert axes["prompt"]["alpha"] > axes["dynamics"]["alpha"]
    without = arena_report(NAMES, contest.trials, [], judged, least_gold=0.8)
    assert without["oracle"]["axes"]["prompt"]["alpha"] is None
    assert "prompt following: new against old: good 2, same 2, bad 0" in arena_text(without)


def test_what_hangs_on_the_margin_is_shown(contest: Contest) -> None:
    judged = judge_by_oracle(contest, 0.03)
    report = arena_report(NAMES, contest.trials, [], judged, least_gold=0.8)
    found = {m["tie_margin"]: m["pairs"][0]["good"] for m in report["oracle"]["other_margins"]}
    assert report["oracle"]["tie_margin"] == 0.03
    assert report["oracle"]["pairs"][0]["good"] == 1
    assert found == {0.015: 2, 0.06: 1}
    assert judge_by_oracle(contest, 0.0).by_margin == {}


def test_who_met_no_gold_trial_counts_but_is_said_to_be_unchecked(contest: Contest) -> None:
    report = arena_report(NAMES, contest.trials, [people(contest, "new")], least_gold=0.8)
    assert report["judges"][0]["kept"] and report["judges"][0]["gold"] is None
    assert "Ann: 4 answers, left" in arena_text(report)
    assert "not checked: no answered trial has a known answer" in arena_text(report)


def test_noise_is_the_spread_between_seeds(tmp_path: Path) -> None:
    levels = (0.0, 0.02, -0.06, 0.3)
    runs = [
        run(tmp_path / "a", [{"color": 0.5} for _ in levels]),
        run(tmp_path / "b", [{"color": 0.5 + level} for level in levels], seed=1),
    ]
    found = seed_noise(runs, 0.05)
    score = found["scores"]["score"]
    assert (found["cases"], score["pairs"]) == (4, 4)
    assert score["spread"] == pytest.approx((sum(x * x for x in levels) / 4) ** 0.5)
    assert score["interval"][0] < score["spread"] < score["interval"][1]
    assert score["same"] == {"0.025": 0.5, "0.05": 0.5, "0.1": 0.75}
    assert set(found["scores"]) == {"score", "prompt"}
    assert "score: spread 0.153 [" in noise_text(found)
    said = CliRunner().invoke(app, ["eval", "noise", *map(str, runs), "--json"])
    assert json.loads(said.stdout) == json.loads(json.dumps(found))


def test_noise_of_three_runs_is_that_of_all_pairs(tmp_path: Path) -> None:
    runs = [run(tmp_path / str(n), [{"color": 0.1 * n}], seed=n) for n in range(3)]
    score = seed_noise(runs, 0.05)["scores"]["score"]
    assert score["pairs"] == 3 and score["interval"] is None
    assert score["spread"] == pytest.approx((0.06 / 3) ** 0.5)


def test_noise_needs_one_system_and_other_seeds(tmp_path: Path) -> None:
    first = run(tmp_path / "a", [{"color": 0.5}])
    same = run(tmp_path / "b", [{"color": 0.5}])
    other = run(tmp_path / "c", [{"color": 0.5}], seed=1, generator="other")
    with pytest.raises(InvalidInput, match="two runs at least"):
        seed_noise([first], 0.05)
    with pytest.raises(InvalidInput, match="have the seeds 0, 0"):
        seed_noise([first, same], 0.05)
    with pytest.raises(InvalidInput, match="different systems"):
        seed_noise([first, other], 0.05)
    with pytest.raises(InvalidInput, match="not above 0"):
        seed_noise([first, other], 0.0)
