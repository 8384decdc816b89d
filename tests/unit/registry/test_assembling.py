"""Versions with what they stand on, and verdicts that travel as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.recipes.release_gate import read_verdict
from omnireel.registry import verify
from omnireel.registry.assembling import assemble
from omnireel.registry.publishing import register
from omnireel.registry.versions import Registry
from tests.support.registry import fresh_registry, small_component

pytestmark = pytest.mark.filterwarnings("ignore")


def test_the_nearest_autoencoder_comes_with_a_version(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")

    def made(name: str, value: float, kind: str, *parents: str) -> str:
        folder = small_component(tmp_path / f"{name}-{value}", value, kind=kind)
        return register(folder, name=name, parents=parents, tracking_uri=uri).ref

    vae = made("vae", 1.0, "vae")
    made("vae", 2.0, "vae")
    first = made("gen", 1.0, "generator", vae)
    tuned = made("gen", 2.0, "generator", first)  # its lineage leads to the autoencoder
    lonely = made("lonely", 3.0, "generator")
    words = made("words", 4.0, "enhancer")

    found = assemble(tuned, tmp_path / "model", tracking_uri=uri)
    assert [version.ref for version in found] == [tuned, vae]
    assert {p.name for p in (tmp_path / "model").iterdir()} == {"generator", "vae"}
    verify(tmp_path / "model/vae")
    assert assemble(tuned, tmp_path / "model", tracking_uri=uri) == found  # again: the same
    assert len(assemble(vae, tmp_path / "only", tracking_uri=uri)) == 1
    assert len(assemble(words, tmp_path / "words", tracking_uri=uri)) == 1
    child = made("lonely", 3.5, "generator", lonely)
    with pytest.raises(FailedPrecondition, match=r"which autoencoder .* of lonely/1 again"):
        assemble(child, tmp_path / "nowhere", tracking_uri=uri)
    made("lonely", 3.0, "generator", vae)  # as the message says
    assert [v.ref for v in assemble(child, tmp_path / "now", tracking_uri=uri)] == [child, vae]

    refused = ["registry", "assemble", "gen@champion", "--pinned", "--mlflow", uri]
    result = CliRunner().invoke(app, [*refused, "--out", str(tmp_path / "x")])
    assert result.exit_code == 2 and "is not pinned" in result.output

    answer = tmp_path / "answer"
    asked = ["registry", "champion", "gen", "--mlflow", uri, "--answer", str(answer)]
    assert CliRunner().invoke(app, asked).output == "none\n"
    assert answer.read_text() == "none"
    verdict = tmp_path / "verdict.json"
    good = {"verdict": "passed", "reasons": ["passed: mean is fine"], "opponent": ""}
    version = Registry.open(uri).resolve(tuned)
    verdict.write_text(json.dumps({**good, "candidate": version.weights_hash}))
    promote = ["registry", "promote", tuned, "--verdict", str(verdict), "--mlflow", uri]
    assert CliRunner().invoke(app, promote).exit_code == 0
    assert CliRunner().invoke(app, asked).output == f"{tuned}\n"
    # The verdict is about that content alone, and about that champion.
    other = ["registry", "promote", first, "--verdict", str(verdict), "--mlflow", uri]
    result = CliRunner().invoke(app, other)
    assert result.exit_code == 2 and "measure the version that you promote" in result.output


def test_other_files_are_no_verdicts(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="omnireel registry judge"):
        read_verdict(tmp_path / "none.json")
    for text in ("{", "{}", '{"reasons": 3, "candidate": "a", "opponent": ""}'):
        (tmp_path / "wrong.json").write_text(text)
        with pytest.raises(InvalidInput, match="not a verdict"):
            read_verdict(tmp_path / "wrong.json")
