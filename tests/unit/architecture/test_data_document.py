"""Commands and the policy on docs/data.md are true; its walk is run by tests/integration/data."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.data.checks.base import Bounds
from omnireel.data.checks.policy import read_policy

PAGE = (Path(__file__).parents[3] / "docs/data.md").read_text()


def commands() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    inline = re.findall(r"`(omnireel [^`]+)`", PAGE)
    lines = [*(line for block in blocks for line in block.splitlines()), *inline]
    return [shlex.split(line)[1:] for line in lines if line.startswith("omnireel ")]


@pytest.mark.parametrize("arguments", commands(), ids=shlex.join)
def test_commands_exist_with_their_options(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


def test_the_policy_can_be_read() -> None:
    block = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    policy = read_policy(yaml.safe_load(block[1]), name="page")
    assert policy.bounds["resolution"].low == 480
    assert policy.bounds["resolution"] != Bounds(480)
    assert "exact_duplicate" not in policy.bounds
