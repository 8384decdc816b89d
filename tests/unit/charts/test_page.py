"""What docs/kubernetes.md says to type exists, and its values install."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml
from typer.testing import CliRunner

from omnireel.cli.main import app
from tests.support.charts import CHARTS, helm, render

ROOT = CHARTS.parent
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINES = [
    line.strip()
    for _, language, body in FENCE.findall(PAGE)
    if language == "bash"
    for line in body.splitlines()
] + re.findall(r"`((?:helm|omnireel|make) [^`]+)`", PAGE)


def starting_with(program: str) -> list[list[str]]:
    found = [shlex.split(line, comments=True) for line in LINES]
    return [words[1:] for words in found if words and words[0] == program]


@pytest.mark.parametrize("arguments", starting_with("omnireel"), ids=shlex.join)
def test_verbs_exist(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("arguments", starting_with("helm"), ids=shlex.join)
def test_helm_knows_the_options(arguments: list[str]) -> None:
    verb, *rest = arguments
    known = helm(verb, "--help")
    for option in (word for word in rest if word.startswith("-")):
        assert re.search(rf"{re.escape(option)}\b", known), option
    assert not [path for path in rest if path.startswith("charts/") and not (ROOT / path).exists()]


@pytest.mark.parametrize("arguments", starting_with("make"), ids=shlex.join)
def test_targets_exist(arguments: list[str]) -> None:
    assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_values_of_the_page_install() -> None:
    (values,) = [
        found
        for _, language, body in FENCE.findall(PAGE)
        if language == "yaml" and "images" in (found := yaml.safe_load(body))
    ]
    rendered = render(values)
    made = {name for _, name in re.findall(r"create (secret) generic (\S+)", PAGE)}
    given = {
        v["secret"]["secretName"]
        for pod in rendered.pods().values()
        for v in pod["spec"]["volumes"]
        if "secret" in v
    }
    assert given - made == {"r-omnireel-services-tls"}  # which cert-manager makes


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)", PAGE)
    assert targets
    assert not [t for t in targets if not (ROOT / "docs" / t).exists()]
