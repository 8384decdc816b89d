"""``omnireel registry`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from omnireel.cli.main import app
from tests.support.registry import fresh_registry, small_component
from tests.support.results import results_of

pytestmark = pytest.mark.filterwarnings("ignore")
RUNNER = CliRunner()


def call(uri: str, *words: object) -> Result:
    return RUNNER.invoke(app, ["registry", *map(str, words), "--mlflow", uri])


def weights(uri: str, ref: str) -> str:
    found = json.loads(call(uri, "show", ref, "--json").stdout)
    return str(found["weights_hash"])


def results(folder: Path, version: str, level: float) -> Path:
    path = folder / f"{version[:8]}-{level}.json"
    path.write_text(json.dumps(results_of(version, [level + 0.01 * i for i in range(10)])))
    return path


def test_a_model_from_folder_to_champion_and_back(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    assert "no versions" in call(uri, "list").stdout
    for i, parent in enumerate(([], ["--parent", "gen/1"])):
        folder = small_component(tmp_path / f"component-{i}", float(i))
        done = call(uri, "register", folder, "--name", "gen", *parent)
        assert done.exit_code == 0 and done.stdout.startswith(f"gen/{i + 1}  "), done.output
    first = results(tmp_path, weights(uri, "gen/1"), 0.4)
    second = results(tmp_path, weights(uri, "gen/2"), 0.6)
    worse = results(tmp_path, weights(uri, "gen/2"), 0.2)

    done = call(uri, "promote", "gen/1", "--results", first, "--require", "mean=0.3")
    assert done.exit_code == 0 and "gen@champion is gen/1 (the first one)" in done.stdout
    done = call(uri, "promote", "gen/2", "--results", second, "--require", "mean=0.3")
    assert done.exit_code == 2 and "--champion-results" in done.stderr
    against = ["--champion-results", first, "--no-worse", "mean=0.01", "--gsb", "0.95"]
    done = call(uri, "promote", "gen/2", "--results", worse, *against)
    assert done.exit_code == 1
    assert "failed  mean minus the champion's is -0.2 [-0.2..-0.2]" in done.stdout
    assert "error: gen/2 is not promoted: failed: mean minus" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "refused" in call(uri, "list", "gen").stdout
    done = call(uri, "promote", "gen/2", "--results", second, *against)
    assert done.exit_code == 0 and "gen@champion is gen/2 (before: gen/1)" in done.stdout
    assert "@champion" in call(uri, "lineage", "gen").stdout

    done = call(uri, "fetch", "gen@champion", "--out", tmp_path / "served")
    assert done.exit_code == 0 and (tmp_path / "served" / "model.safetensors").is_file()
    assert "gen@champion is gen/1" in call(uri, "rollback", "gen").stdout
    assert call(uri, "rollback", "gen").exit_code == 1
    assert "gen@teacher is gen/1" in call(uri, "alias", "gen/1", "teacher").stdout


def test_lineage_is_a_tree_and_a_picture(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    for i in range(3):
        parents = ["--parent", f"gen/{i}"] if i else []
        folder = small_component(tmp_path / f"component-{i}", float(i))
        call(uri, "register", folder, "--name", "gen", *parents)
    picture = tmp_path / "lineage.svg"
    done = call(uri, "lineage", "gen/2", "--out", picture)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("gen/2  generator, generator-tiny, abc1234")
    made_from = next(i for i, line in enumerate(lines) if "made from" in line)
    became = next(i for i, line in enumerate(lines) if "became" in line)
    assert made_from < next(i for i, s in enumerate(lines) if "gen/1" in s) < became
    assert became < next(i for i, line in enumerate(lines) if "gen/3" in line)
    assert picture.read_text().startswith("<svg")


def test_a_version_that_keeps_its_run_says_so(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    words = ("register", small_component(tmp_path / "a"), "--name", "gen")
    assert call(uri, *words).stderr == ""
    again = call(uri, *words, "--run", "0123")
    assert again.exit_code == 0 and "gen/1 was there already and keeps no run" in again.stderr


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    call(uri, "register", small_component(tmp_path / "a"), "--name", "generator")
    for words, status, line in (
        (["show", "generater/1"], 1, "there are generator"),
        (["show", "generator"], 2, "choose one: generator/1"),
        (["fetch", "generator@champoin", "--out", tmp_path / "x"], 1, "no alias 'champoin'"),
        (["lineage", "generator", "--out", tmp_path / "x.gif"], 2, "must end in .svg"),
        (["promote", "generator/1", "--results", tmp_path / "r.json"], 2, "passes everything"),
        (
            ["promote", "generator/1", "--results", tmp_path / "r.json", "--require", "mean=x"],
            2,
            "'x' is not a number",
        ),
        (["register", tmp_path, "--name", "generator"], 1, "card.json is missing"),
    ):
        done = call(uri, *words)
        assert done.exit_code == status and line in done.stderr, done.output
        assert done.stderr.count("\n") == 1
