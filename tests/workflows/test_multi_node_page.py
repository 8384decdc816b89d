"""What docs/multi-node.md says to check without a GPU runs as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/multi-node.md").read_text()
BLOCKS = [
    block
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    if "generator-debug" in block and "trainjob" not in block
]

pytestmark = pytest.mark.timeout(1200)


def run(commands: str, folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def losses(run_folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if row["event"] == "train"]


def test_two_ranks_agree_in_every_layout(tmp_path: Path) -> None:
    for block in BLOCKS:
        run(block, tmp_path)
    runs = {path.name: losses(path) for path in (tmp_path / "runs").glob("check-*")}
    assert set(runs) == {"check-zero", "check-ulysses", "check-nodes"}
    for name, found in runs.items():
        assert found and found == pytest.approx(runs["check-zero"], rel=1e-3), name
