"""The arrows of the architecture, as pyproject.toml has them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FOUNDATION = {"addresses", "types", "errors", "files", "processes", "secret", "shipped"}
"""Modules that everything may import."""


def contracts() -> list[dict[str, Any]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = config["tool"]["importlinter"]["contracts"]
    return found


def lint(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; from importlinter.cli import lint_imports; "
        f"sys.exit(lint_imports(config_filename={str(config)!r}, no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_import_keeps_the_contracts() -> None:
    result = lint(ROOT, ROOT / "pyproject.toml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{len(contracts())} kept, 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("omnireel/store/x.py", "import omnireel.world", "omnireel.world"),
        ("omnireel/world/x.py", "import grpc", "no transport"),
        ("omnireel/media/x.py", "import torch", "without torch"),
        ("omnireel/generate/x.py", "import omnireel.train", "omnireel.train"),
        ("omnireel/cli/x.py", "import services.common", "never imports a service"),
        ("omnireel/cli/y.py", "import pipelines", "never imports a service"),
        ("omnireel/recipes/x.py", "import kubernetes", "no transport"),
        ("pipelines/workflows/x.py", "import services.common", "no service"),
        ("pipelines/components/x.py", "import omnireel.recipes", "omnireel.recipes"),
        ("pipelines/components/y.py", "import pipelines.workflows", "made of components"),
        ("services/worker/x.py", "import services.gateway", "Services share"),
        ("services/gateway/x.py", "import omnireel.generate", "never a model"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, module: str, line: str, broken: str) -> None:
    """The same contracts over a tree of empty packages with one wrong line."""
    for name in ("omnireel", "services", "pipelines"):
        for package in (ROOT / name).iterdir():
            if (package / "__init__.py").exists():
                target = tmp_path / name / package.name
                target.mkdir(parents=True)
                (target / "__init__.py").touch()
        (tmp_path / name / "__init__.py").touch()
    named = {
        m
        for c in contracts()
        for key in ("source_modules", "forbidden_modules", "allowed_importers")
        if key in c
        for m in c[key]
        if m.startswith(("omnireel.", "services."))
    }
    for dotted in named:
        path = tmp_path / dotted.replace(".", "/")
        if not path.exists():
            path.with_suffix(".py").touch()
    (tmp_path / module).write_text(line + "\n")
    result = lint(tmp_path, ROOT / "pyproject.toml")
    assert result.returncode == 1, result.stdout + result.stderr
    ends = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(broken in line for line in ends), result.stdout


def test_every_package_has_a_contract() -> None:
    packages = {
        path.name if path.is_dir() else path.stem
        for path in (ROOT / "omnireel").iterdir()
        if (path / "__init__.py").exists() or path.suffix == ".py"
    } - {"__init__"}
    protected = {
        module.removeprefix("omnireel.")
        for contract in contracts()
        if contract["type"] == "protected"
        for module in contract["protected_modules"]
    }
    assert packages - FOUNDATION == protected

    transport = next(c for c in contracts() if c["id"] == "transport")
    guarded = {module.removeprefix("omnireel.") for module in transport["source_modules"]}
    assert packages - {"api", "client", "cli"} == guarded

    services = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    layers = next(c for c in contracts() if c["id"] == "services")["layers"]
    named = {
        name.strip().removeprefix("services.") for layer in layers for name in layer.split("|")
    }
    assert services == named
