"""The page on which people judge pairs, in a real browser, from questions to trained-on answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page
from typer.testing import CliRunner

from omnireel.cli import train
from omnireel.train.preferences import PreferenceSet, Verdict
from tests.support.browser import browser_page
from tests.support.engines.random_weights import save_random_weights

# The browser's driver closes its pipes when the interpreter collects them.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

_CANVAS = "#pair figure[data-verdict={}] canvas"
_PIXELS = """(canvas) => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return Array.from(data);
}"""


def _run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(train.app, ["preferences", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pairs of an untrained model, and their page."""
    root = tmp_path_factory.mktemp("people")
    weights = save_random_weights(root / "weights")
    vae = ("--vae", weights / "vae")
    _run(
        "sample", root / "q", "--generator", weights / "generator", *vae,
        "--prompts", "4", "--workers", "0",
    )  # fmt: skip
    _run("page", root / "q", *vae)
    return root / "q"


def _picture(page: Page, verdict: str) -> np.ndarray:
    values = page.eval_on_selector(_CANVAS.format(verdict), _PIXELS)
    return np.array(values, np.uint8)


def _frames_of(page: Page, verdict: str, count: int) -> list[np.ndarray]:
    """The different pictures that a canvas shows, in order, until there were ``count``."""
    seen: list[np.ndarray] = []
    while len(seen) < count:
        now = _picture(page, verdict)
        if now.any() and not any(np.array_equal(now, before) for before in seen):
            seen.append(now)
    return seen


def test_a_person_judges_and_the_answers_are_imported(questions: Path, tmp_path: Path) -> None:
    with browser_page() as page:
        page.goto((questions / "page.html").as_uri())
        count = page.locator("#count")
        assert count.inner_text() == "pair 1 of 4, 0 answered"
        assert len(page.locator("#prompt").inner_text()) > 5
        for verdict in ("first", "second"):
            assert len(_frames_of(page, verdict, 3)) == 3
        page.keyboard.press("1")
        page.wait_for_function("document.getElementById('count').textContent.includes('pair 2')")
        page.keyboard.press("2")
        page.wait_for_function("document.getElementById('count').textContent.includes('pair 3')")
        page.keyboard.press("t")
        page.wait_for_function("document.getElementById('count').textContent.includes('pair 4')")
        page.reload()
        assert count.inner_text() == "pair 4 of 4, 3 answered"
        page.keyboard.press("ArrowLeft")
        assert "chosen" in (page.locator("#tie").get_attribute("class") or "")
        page.locator("#pair figure[data-verdict=first]").click()
        page.wait_for_function("document.getElementById('count').textContent.includes('pair 4')")
        assert count.inner_text().endswith("3 answered")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("t")
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator("#save").click()
        assert page.evaluate("document.activeElement.id") == "judge"
        page.keyboard.type("Ann t12")
        assert count.inner_text().endswith("3 answered")
        with page.expect_download() as saved:
            page.locator("#save").click()
        answers = tmp_path / saved.value.suggested_filename
        saved.value.save_as(answers)
        page.screenshot(path=tmp_path / "page.png")
    assert answers.name == "answers-Ann_t12.json"
    given = json.loads(answers.read_text())
    assert given["answers"] == {"0": "first", "1": "tie", "2": "first"}
    assert np.array(Image.open(tmp_path / "page.png").convert("L")).std() > 10

    said = _run("import", questions, answers, "--out", tmp_path / "judged")
    assert "3 pairs by Ann t12, of these 1 ties, 1 unanswered" in said
    judged = PreferenceSet(tmp_path / "judged")
    verdicts = [judged.pair(n).verdicts for n in range(len(judged))]
    assert verdicts == [(Verdict.FIRST,), (Verdict.TIE,), (Verdict.FIRST,)]


def test_both_clips_show_the_same_moment(questions: Path, tmp_path: Path) -> None:
    """Both canvases are drawn from one clock: read at once, they show frames of one number."""
    page_file = tmp_path / "same.html"
    text = (questions / "page.html").read_text(encoding="utf-8")
    data = text.split('id="data">', 1)[1].split("</script>", 1)[0]
    content = json.loads(data)
    content["pairs"][0]["second"] = content["pairs"][0]["first"]
    page_file.write_text(text.replace(data, json.dumps(content)), encoding="utf-8")
    both = f"""() => {{
      const read = {_PIXELS};
      return [...document.querySelectorAll("#pair canvas")].map(read);
    }}"""
    with browser_page() as page:
        page.goto(page_file.as_uri())
        moments = []
        while len(moments) < 3:
            left, right = (bytes(x) for x in page.evaluate(both))
            assert left == right
            if any(left) and left not in moments:
                moments.append(left)
