"""Every command, code block and link in README, CONTRIBUTING and docs/serving is true."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.recipes import build_recipe
from omnireel.recipes.config import override
from tests.support.gateway import RESULT, FakeGateway

ROOT = Path(__file__).parents[3]
DOCUMENTS = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")}
SERVING = {path.name: path.read_text() for path in sorted((ROOT / "docs/serving").glob("*.md"))}
FENCE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[str]:
    return [
        body
        for text in DOCUMENTS.values()
        for kind, body in FENCE.findall(text)
        if kind == language
    ]


def commands(program: str) -> list[list[str]]:
    found = [
        body for text in SERVING.values() for kind, body in FENCE.findall(text) if kind == "bash"
    ]
    lines = [line for block in (*blocks("bash"), *found) for line in block.splitlines()]
    # Other lines may be parts of longer ones, whose quotes are open.
    ours = [line for line in lines if line.startswith(f"{program} ")]
    return [shlex.split(line, comments=True)[1:] for line in ours]


@pytest.mark.parametrize("arguments", commands("omnireel"), ids=shlex.join)
def test_omnireel_commands_exist_with_their_options(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


def test_an_unknown_option_would_be_found() -> None:
    assert CliRunner().invoke(app, ["generate", "a", "--colour", "--help"]).exit_code == 2


def test_recipes_take_the_settings() -> None:
    checked = 0
    for verb, recipe, *options in (c for c in commands("omnireel") if len(c) > 1):
        if verb != "train":
            continue
        settings = [b for a, b in itertools.pairwise(options) if a == "--set"]
        if settings:
            override(build_recipe(recipe), tuple(settings))
            checked += 1
    assert checked


@pytest.mark.parametrize("arguments", commands("make"), ids=shlex.join)
def test_make_targets_exist(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{arguments[0]}:", makefile, re.MULTILINE)


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks("python")
    assert len([line for line in example.splitlines() if line]) <= 15
    monkeypatch.chdir(tmp_path)
    for name in ("front.png", "left.png", "right.png"):
        Path(name).write_bytes(name.encode())
    with FakeGateway() as gateway:
        source = example.replace("127.0.0.1:7070", gateway.address)
        assert source != example
        exec(compile(source, "README.md", "exec"), {})
        (request,) = gateway.seen.creates
    assert Path("hero.mp4").read_bytes() == RESULT
    assert len(request.prompt.elements[0].uris) == 3
    assert "generating step 1/4" in capsys.readouterr().err


@pytest.mark.parametrize("name", SERVING)
def test_links_of_the_serving_pages_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", SERVING[name])
    folder = ROOT / "docs/serving"
    assert not {t for t in targets if "://" not in t and not (folder / t).exists()}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", DOCUMENTS[name])
    assert targets
    missing = {target for target in targets if "://" not in target and not (ROOT / target).exists()}
    assert not missing


def test_the_readme_is_short() -> None:
    assert len(DOCUMENTS["README.md"].splitlines()) <= 170
