"""The policy on docs/data.md is true; its walk is run by tests/integration/data."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from omnireel.data.checks.base import Bounds
from omnireel.data.checks.policy import read_policy

PAGE = (Path(__file__).parents[3] / "docs/data.md").read_text()


def test_the_policy_can_be_read() -> None:
    block = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    policy = read_policy(yaml.safe_load(block[1]), name="page")
    assert policy.bounds["resolution"].low == 480
    assert policy.bounds["resolution"] != Bounds(480)
    assert "exact_duplicate" not in policy.bounds
