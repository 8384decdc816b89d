"""Commands of helm and make, and settings, of the pages for operators are true."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from omnireel.cli.main import app
from tests.support.charts import (
    CHARTS,
    PRODUCTION,
    PRODUCTION_TRAINING,
    helm,
    merged,
    render,
    render_training,
)

ROOT = Path(__file__).parents[3]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (
        ROOT / "docs/production.md",
        ROOT / "docs/multi-node.md",
        ROOT / "docs/serving/capacity.md",
        ROOT / "docs/serving/operate.md",
    )
}
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
LINES = [
    line
    for page in PAGES.values()
    for kind, body in FENCE.findall(page)
    if kind == "bash"
    for line in body.splitlines()
]
IN_TEXT = [words for page in PAGES.values() for words in re.findall(r"`([^`\n]+)`", page)]


def commands(program: str) -> list[list[str]]:
    """Those in blocks, and those in the text that have arguments."""
    wanted = [c for c in (*LINES, *IN_TEXT) if re.match(rf"(?:\S+=\S+ )*{program} \S", c)]
    return [shlex.split(c, comments=True)[1:] for c in dict.fromkeys(wanted)]


@pytest.mark.parametrize("arguments", commands("helm"), ids=shlex.join)
def test_helm_knows_the_options(arguments: list[str]) -> None:
    verb, *rest = until_pipe(arguments)
    known = helm(verb, "--help")
    for option in (word for word in rest if word.startswith("-")):
        assert re.search(rf"{re.escape(option)}\b", known), option
    assert not [path for path in rest if path.startswith("charts/") and not (ROOT / path).exists()]


def until_pipe(words: list[str]) -> list[str]:
    return words[: words.index("|")] if "|" in words else words


@pytest.mark.parametrize("target", sorted({c[0] for c in commands("make")}))
def test_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_list_of_images_is_whole() -> None:
    """What the charts pull by default stands in the table of what to bring over."""
    rendered = [render(PRODUCTION), render(dev=True), render_training(PRODUCTION_TRAINING)]
    images = {
        container["image"]
        for each in rendered
        for pod in each.pods().values()
        for kind in ("initContainers", "containers")
        for container in pod["spec"].get(kind, ())
    }
    for image in images:
        name = image.rpartition(":")[0] if image.startswith("omnireel/") else image
        assert f"`{name}`" in PAGES["docs/production.md"], image


def test_the_command_that_lists_images_lists_them(tmp_path: Path) -> None:
    (line,) = [line for line in LINES if line.startswith("helm template")]
    _, _, filters = line.partition("values.yaml | ")
    text = helm("template", "omnireel", str(CHARTS / "omnireel"), values=PRODUCTION)
    found = subprocess.run(
        ["bash", "-c", filters], input=text, capture_output=True, text=True, check=True
    ).stdout
    assert {row.split()[1] for row in found.splitlines()} == {
        "omnireel/services:0.1.0", "omnireel/models:0.1.0"
    }  # fmt: skip


def test_the_values_for_the_network_install() -> None:
    (values,) = [
        yaml.safe_load(body)
        for kind, body in FENCE.findall(PAGES["docs/multi-node.md"])
        if kind == "yaml"
    ]
    rendered = render_training(merged(PRODUCTION_TRAINING, values))
    node = rendered.container("TrainingRuntime/omnireel")
    assert node["resources"]["limits"]["rdma/hca"] == 8
    assert {"name": "NCCL_IB_HCA", "value": "mlx5"} in node["env"]


def test_plans_of_the_pages_can_be_made() -> None:
    plans = [c for c in commands("omnireel") if "--jobs-per-hour" in c and "h100.toml" not in c]
    assert len(plans) >= 3
    for arguments in plans:
        result = CliRunner().invoke(app, [*arguments, "--jobs", "500"])
        assert result.exit_code == 0, result.output


def test_every_alert_leads_to_an_action() -> None:
    rules = yaml.safe_load((ROOT / "infra/observability/alerts.yaml").read_text())["groups"]
    alerts = {rule["alert"].removeprefix("Omnireel") for group in rules for rule in group["rules"]}
    page = PAGES["docs/serving/operate.md"]
    assert set(re.findall(r"^\| \[(\w+)\]\(#omnireel", page, re.MULTILINE)) == alerts
