"""The page of a benchmark run in a real browser: filters, order, clips in step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnireel.evaluate.bench.page import write_bench_page
from omnireel.evaluate.bench.rows import summary_of
from omnireel.media.sprites import write_sprite
from omnireel.types import Clip
from tests.support.browser import PHONE, browser_page, chromium

# The browser's driver closes its pipes when the interpreter collects them.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def _clip(folder: Path, file: str, color: int) -> dict[str, Any]:
    """Each frame has its own brightness."""
    frames = np.zeros((4, 32, 32, 3), np.uint8)
    frames[..., color] = np.array([90, 140, 190, 240])[:, None, None]
    sheet, shape = write_sprite(Clip(frames, fps=2.0), quality=100)
    (folder / "clips" / file).write_bytes(sheet)
    return {"name": "", "file": file, **shape}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    records = []
    for capability, number, split, score in (
        ("C10", 0, "train", 0.9), ("C10", 1, "train", 0.1), ("C10", 16, "held_out", 0.5),
        ("C9", 0, "train", 0.3),
    ):  # fmt: skip
        name = f"{capability}-{number:02d}"
        columns = {"score": score, "floor": 0.0, "ceiling": 1.0, "truth": 1.0}
        empty = dict.fromkeys(columns)
        oracles = ("matte", "kept", "edit", "effect", "motion", "liveliness")
        clips = [
            {"role": role, **_clip(tmp_path, f"{name}-{k}.webp", k)}
            for k, role in enumerate(("source", "target", "result"))
        ]
        records.append({
            "id": name, "capability": capability, "split": split, "trained": True,
            "tags": {"subject": "human", "scenario": "film", "challenge": "plain"},
            "prompt": f"<b>prompt</b> of {name}", "evaluations": 10, "cost": {"making_cpu_s": 1.0},
            "answers": {**dict.fromkeys(oracles, empty),
                        ("matte" if capability == "C10" else "effect"): columns},
            "clips": clips,
        })  # fmt: skip
    model = {"generator": "a" * 64, "num_inference_steps": 10, "words": "precise"}
    summary = summary_of(records, {"bench": {"version": 1}, "model": model})
    write_bench_page(tmp_path, records, summary)
    return tmp_path


def test_a_phone_shows_the_page_at_its_own_width(run: Path) -> None:
    with chromium() as browser:
        page = browser.new_context(**PHONE).new_page()
        page.goto((run / "index.html").as_uri())
        assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [393, 393]
        # The table has more columns than a phone has room for.
        wide = page.locator(".wide")
        assert wide.evaluate("(box) => box.scrollWidth > box.clientWidth")


def test_a_row_without_a_span_has_no_bar(run: Path) -> None:
    text = (run / "index.html").read_text(encoding="utf-8")
    data = text.split('id="data">', 1)[1].split("</script>", 1)[0]
    content = json.loads(data)
    content["rows"][0]["span"] = None
    (run / "index.html").write_text(text.replace(data, json.dumps(content)), encoding="utf-8")
    with browser_page() as page:
        page.goto((run / "index.html").as_uri())
        bars = [row.locator(".track").count() for row in page.locator("#rows tr").all()]
    assert bars == [0, 1]


def test_cases_are_filtered_ordered_and_played(run: Path, tmp_path: Path) -> None:
    with browser_page() as page:
        page.goto((run / "index.html").as_uri())

        def shown() -> list[str]:
            return [str(a.get_attribute("id")) for a in page.locator("article").all()]

        assert shown() == ["C10-01", "C9-00", "C10-16", "C10-00"]  # the worst first
        assert page.locator("article").first.inner_text().count("<b>prompt</b>") == 1
        page.select_option("#order", "best")
        assert shown()[0] == "C10-00"
        page.select_option("#split", "held_out")
        assert shown() == ["C10-16"]
        page.select_option("#split", "")
        page.select_option("#capability", "C9")
        assert shown() == ["C9-00"]
        assert page.locator("#count").inner_text() == "1 of 4 cases"
        page.locator("#rows tr[data-capability=C10]").click()
        assert len(shown()) == 3
        page.select_option("#family", "consistency")
        assert shown() == []
        page.select_option("#family", "prompt")
        page.select_option("#capability", "C9")
        drawn_all = "[...stage.shown.values()].every((p) => p.drawn >= 0)"
        page.wait_for_function(f"stage.shown.size === 3 && {drawn_all}")
        moments = set()
        while len(moments) < 3:
            drawn = page.evaluate("[...stage.shown.values()].map((p) => p.drawn)")
            assert len(set(drawn)) == 1, "the clips are out of step"
            moments.add(drawn[0])
        page.keyboard.press(" ")
        page.locator("article canvas").nth(2).screenshot(path=tmp_path / "result.png")
    seen = np.array(Image.open(tmp_path / "result.png").convert("RGB")).mean((0, 1))
    assert seen[2] > 60  # the result is blue
    assert seen[2] > 3 * seen[0]
