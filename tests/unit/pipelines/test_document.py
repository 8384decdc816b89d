"""The commands of docs/kubeflow.md exist, with their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/kubeflow.md").read_text(encoding="utf-8")


def commands(program: str) -> list[list[str]]:
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"{program} ")]


@pytest.mark.parametrize("words", commands("omnireel"), ids=shlex.join)
def test_a_command_exists_with_its_options(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output


def test_links_and_targets_are_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert not [t for t in targets if "://" not in t and not (ROOT / "docs" / t).exists()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", PAGE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
