"""What model code may stand on: one device, and only torch, numpy and safetensors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SINGLE_DEVICE = ("model", "sampling", "upscale")
LIGHT = (*SINGLE_DEVICE, "world", "mvl")


def distributed_uses(source: str) -> Iterator[int]:
    """Lines that import or touch torch.distributed."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        if any(f"{name}.".startswith("torch.distributed.") for name in names):
            yield getattr(node, "lineno", 0)


@pytest.mark.parametrize(
    "line",
    [
        "import torch.distributed",
        "import torch.distributed as dist",
        "from torch import distributed as d",
        "from torch.distributed.tensor import DTensor",
        "x = torch.distributed.get_rank()",
    ],
)
def test_the_check_sees(line: str) -> None:
    assert list(distributed_uses(f"import torch\n{line}\n")) != []


@pytest.mark.parametrize("package", SINGLE_DEVICE)
def test_model_code_is_single_device(package: str) -> None:
    files = sorted((ROOT / "omnireel" / package).rglob("*.py"))
    assert files
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        for line in distributed_uses(path.read_text(encoding="utf-8"))
    }
    assert not found


BLOCKER = """
import sys, sysconfig
from importlib.machinery import PathFinder

ALLOWED = set({allowed!r})
class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        importer = sys._getframe(1)
        while importer and importer.f_globals.get("__name__", "").startswith("importlib"):
            importer = importer.f_back
        asked_by = importer.f_globals.get("__name__", "") if importer else ""
        ours = asked_by.partition(".")[0] in ("omnireel", "__main__")
        if ours and top not in ALLOWED and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{{asked_by}} imports {{name}}", name=name)
        return None
sys.meta_path.insert(0, Blocker)
import importlib
for module in {modules!r}:
    importlib.import_module(module)
print("imported", len({modules!r}))
"""


def import_in_a_bare_process(
    modules: list[str], allowed: tuple[str, ...]
) -> subprocess.CompletedProcess[str]:
    code = BLOCKER.format(modules=modules, allowed=("omnireel", *allowed))
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )


def modules_of(package: str) -> list[str]:
    folder = ROOT / "omnireel" / package
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(folder.rglob("*.py"))
    ]


def test_the_core_imports_with_torch_numpy_and_safetensors_alone() -> None:
    modules = [module for package in LIGHT for module in modules_of(package)]
    result = import_in_a_bare_process(modules, ("torch", "numpy", "safetensors"))
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"imported {len(modules)}\n"


def test_the_world_imports_with_numpy_alone() -> None:
    result = import_in_a_bare_process(modules_of("world"), ("numpy",))
    assert result.returncode == 0, result.stderr


def test_the_blocker_blocks() -> None:
    result = import_in_a_bare_process(["omnireel.media.write"], ("numpy",))
    assert result.returncode == 1
    assert "omnireel.media" in result.stderr
