"""``curate`` through Kubeflow's local runner: parts in steps of their own, then one ledger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from omnireel.data.curate.ledger import LEDGER, read_rows
from omnireel.data.shards import ShardReader
from omnireel.media import write_png
from tests.support.footage import POLICY
from tests.support.local_pipelines import artefact, run_locally

pytestmark = [pytest.mark.timeout(3000), pytest.mark.filterwarnings("ignore")]


def test_parts_become_one_set_of_shards(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    random = np.random.default_rng(0)
    for number in range(6):
        picture = random.integers(0, 255, (96, 96, 3), dtype=np.uint8)
        write_png(picture, media / f"{number}.png")
        (media / f"{number}.txt").write_text(f"noise {number}")
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    settings = ["parts=2", f"policy={policy}"]
    done = run_locally("curate", tmp_path, settings, {"media": str(media)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" measured, ") == 2

    out = tmp_path / "curate/work/data"
    assert len(list(ShardReader(out).samples())) == 6
    assert {row["verdict"] for row in read_rows(out / LEDGER)} == {"kept"}
    page = artefact(tmp_path, "curate", "merge-parts", "page").read_text()
    assert "6 of 6 samples kept" in page
