"""What docs/kubernetes.md says to type exists, and its values install."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from omnireel.cli.main import app
from tests.support.charts import CHARTS, PRODUCTION, helm, render
from tests.support.programs import program

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


def question_of_the_page(namespace: str) -> str:
    """What prometheus-adapter asks for by the rule of the page."""
    (rules,) = [
        found["externalRules"]
        for _, language, body in FENCE.findall(PAGE)
        if language == "yaml" and "externalRules" in (found := yaml.safe_load(body))
    ]
    query: str = rules[0]["metricsQuery"]
    return query.replace("<<.LabelMatchers>>", f'namespace="{namespace}"')


def test_both_ways_of_scaling_count_the_same(tmp_path: Path) -> None:
    scaled = render(PRODUCTION, {"autoscaling": {"kind": "keda"}})
    trigger = scaled.one("ScaledObject", "r-omnireel-worker")["spec"]["triggers"][0]
    assert trigger["metadata"]["query"].split() == question_of_the_page("ns").split()
    series = [
        'omnireel_queue_depth{namespace="waits",tenant="a"}',
        'omnireel_jobs_running{namespace="runs",tenant="a"}',
        'omnireel_queue_depth{namespace="both",tenant="a"}',
        'omnireel_queue_depth{namespace="both",tenant="b"}',
        'omnireel_jobs_running{namespace="both",tenant="a"}',
    ]
    counted = {"waits": 3, "runs": 3, "both": 9, "idle": 0}
    case = {
        "interval": "1m",
        "input_series": [{"series": one, "values": "3x5"} for one in series],
        "promql_expr_test": [
            {
                "expr": question_of_the_page(namespace),
                "eval_time": "4m",
                "exp_samples": [{"labels": "{}", "value": jobs}],
            }
            for namespace, jobs in counted.items()
        ],
    }
    file = tmp_path / "scaling.test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [], "tests": [case]}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", file], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)", PAGE)
    assert targets
    assert not [t for t in targets if not (ROOT / "docs" / t).exists()]
