"""What is generated is up to date, and upgrades change nothing that Kubernetes keeps fixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.charts.describe import readme_text, schema_text
from infra.charts.omnireel import RULES
from infra.charts.values_file import UndocumentedValue, documented
from tests.support.charts import OMNIREEL, PRODUCTION, helm, merged, render

FIXED = Path(__file__).parent / "fixed_fields.json"


def test_the_schema_is_that_of_the_values_and_settings() -> None:
    assert (OMNIREEL / "values.schema.json").read_text() == schema_text(OMNIREEL, RULES), (
        "run python -m infra.charts.omnireel"
    )


def test_the_readme_lists_the_values() -> None:
    assert (OMNIREEL / "README.md").read_text() == readme_text(OMNIREEL), (
        "run python -m infra.charts.omnireel"
    )


def test_a_value_without_a_word_is_found(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a:\n  # -- Said.\n  b: 1\n  c: 2\n")
    with pytest.raises(UndocumentedValue, match=r"a\.c has no"):
        documented(tmp_path / "values.yaml")


@pytest.mark.parametrize("dev", [False, True])
def test_helm_finds_nothing_to_complain_about(dev: bool) -> None:
    files = ("-f", str(OMNIREEL / "values-dev.yaml")) if dev else ()
    values = {} if dev else PRODUCTION
    assert "0 chart(s) failed" in helm("lint", "--strict", str(OMNIREEL), *files, values=values)


def fixed_fields() -> dict[str, Any]:
    """What cannot change in place: an upgrade that touches one of these fails."""
    found: dict[str, Any] = {}
    for rendered in (render(PRODUCTION), render(dev=True)):
        for kind in ("Deployment", "StatefulSet"):
            for name, o in rendered.of(kind).items():
                spec = o["spec"]
                fixed = {"selector": spec["selector"]["matchLabels"]}
                if kind == "StatefulSet":
                    fixed["serviceName"] = spec["serviceName"]
                    fixed["volumeClaimTemplates"] = spec["volumeClaimTemplates"]
                found[f"{kind}/{name}"] = fixed
        for name, o in rendered.of("Service").items():
            found[f"Service/{name}"] = {"clusterIP": o["spec"].get("clusterIP")}
    return found


def test_an_upgrade_from_the_first_version_changes_nothing_fixed() -> None:
    before, now = json.loads(FIXED.read_text()), fixed_fields()
    assert {name: now[name] for name in before} == before


def test_the_next_revision_has_a_migration_of_its_own() -> None:
    text = helm("template", "r", str(OMNIREEL), "--is-upgrade", values=merged(PRODUCTION))
    assert "name: r-omnireel-migrations-1" in text  # the name holds the revision, which is 1 here
