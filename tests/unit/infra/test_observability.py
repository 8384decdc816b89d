"""Dashboards and alerts speak of metrics that exist, and every alert has its paragraph."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from services.common.telemetry import JobMetrics, ModelMetrics, RpcMetrics
from services.gateway.metrics import GatewayMetrics
from tests.support.jobs import Clock, new_store
from tests.support.programs import program

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "infra" / "observability"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
SUFFIXES = {
    "counter": ("_total", "_created"),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
}
METRIC = re.compile(r"\b(?:omnireel|process)_[a-z_]+\b")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    registry = CollectorRegistry()
    RpcMetrics(registry)
    JobMetrics(registry)
    ModelMetrics(registry, occupied=lambda: 0, silent_s=lambda: 0)
    jobs = new_store(tmp_path_factory.mktemp("jobs"), Clock())
    GatewayMetrics(jobs, lambda: 0, registry)
    names = {
        family.name + suffix
        for family in registry.collect()
        for suffix in SUFFIXES.get(family.type, ("",))
    }
    jobs.close()
    return names


def alerts() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]:
        yield from group["rules"]


def expressions(dashboard: Path) -> list[str]:
    panels = json.loads(dashboard.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_show_what_exists(dashboard: Path, known: set[str]) -> None:
    found = expressions(dashboard)
    assert found and all(METRIC.search(expression) for expression in found)
    assert {name for expression in found for name in METRIC.findall(expression)} <= known


def test_alerts_ask_for_what_exists(known: set[str]) -> None:
    asked = {name for alert in alerts() for name in METRIC.findall(alert["expr"])}
    assert asked and asked <= known


def test_every_metric_of_ours_is_shown_somewhere(known: set[str]) -> None:
    shown = {n for path in DASHBOARDS for e in expressions(path) for n in METRIC.findall(e)}
    families = {re.sub(r"_(total|bucket|count|sum|created)$", "", name) for name in shown}
    ours = {re.sub(r"_(total|bucket|count|sum|created)$", "", n) for n in known}
    assert {name for name in ours if name.startswith("omnireel_")} <= families


def test_every_alert_has_its_paragraph() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/serving/operate.md").read_text(), re.M)
    assert [alert["alert"] for alert in alerts()] == headings
    for alert in alerts():
        anchor = f"docs/serving/operate.md#{alert['alert'].lower()}"
        assert alert["annotations"]["runbook"] == anchor
        assert alert["labels"]["severity"] in ("page", "ticket")


def test_panels_have_their_own_places() -> None:
    for path in DASHBOARDS:
        panels = json.loads(path.read_text())["panels"]
        places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
        assert len(places) == len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts.test.yaml"),
        ("check", "config", "prometheus.yaml"),
    ],
    ids=" ".join,
)
def test_prometheus_takes_the_files(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
