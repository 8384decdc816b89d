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
from tests.support.browser import PHONE, browser_page, chromium
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


def _seen(page: Page) -> None:
    """Wait until the pair was there for long enough to be answered."""
    page.wait_for_function("performance.now() - shownAt > TOO_SOON_MS")


def _shows(page: Page, words: str) -> None:
    page.wait_for_function(
        "(words) => document.getElementById('count').textContent.includes(words)", arg=words
    )
    _seen(page)


def test_a_person_judges_and_the_answers_are_imported(questions: Path, tmp_path: Path) -> None:
    with browser_page() as page:
        page.goto((questions / "page.html").as_uri())
        count = page.locator("#count")
        assert count.inner_text() == "pair 1 of 4, 0 answered"
        assert len(page.locator("#prompt").inner_text()) > 5
        for verdict in ("first", "second"):
            assert len(_frames_of(page, verdict, 3)) == 3
        _seen(page)
        page.keyboard.press("1")
        _shows(page, "pair 2")
        page.keyboard.press("2")
        _shows(page, "pair 3")
        page.keyboard.press("t")
        _shows(page, "pair 4")
        page.reload()
        assert count.inner_text() == "pair 4 of 4, 3 answered"
        page.keyboard.press("ArrowLeft")
        assert "chosen" in (page.locator("#tie").get_attribute("class") or "")
        _seen(page)
        page.locator("#pair figure[data-verdict=first]").click()
        _shows(page, "pair 4")
        assert count.inner_text().endswith("3 answered")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        _seen(page)
        page.keyboard.press("t")
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator("#save").click()
        assert page.evaluate("document.activeElement.id") == "judge"
        page.keyboard.type("Ann t12")
        assert count.inner_text().endswith("3 answered by Ann t12")
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


_KEY = """([key, repeat]) =>
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, repeat, bubbles: true }))"""


def test_one_deed_is_one_answer_and_a_pair_that_was_not_seen_gets_none(questions: Path) -> None:
    with browser_page() as page:
        page.goto((questions / "page.html").as_uri())
        _seen(page)
        page.locator("#pair figure[data-verdict=first]").dblclick()
        _shows(page, "pair 2 of 4, 1 answered")
        # The second click of a slow double click meets the next pair.
        page.evaluate("""() => {
          show(1);
          document.querySelector("#pair figure").click();
        }""")
        _seen(page)
        page.locator("#pair figure[data-verdict=first]").dispatch_event("click", {"detail": 2})
        page.keyboard.press("Control+0")
        page.keyboard.press("Alt+1")
        page.keyboard.press("Meta+t")
        assert page.locator("#count").inner_text() == "pair 2 of 4, 1 answered"
        for repeat in (False, True, True):
            page.evaluate(_KEY, ["2", repeat])
        _shows(page, "pair 3 of 4, 2 answered")
        page.evaluate(_KEY, ["2", True])
        assert page.locator("#count").inner_text() == "pair 3 of 4, 2 answered"


def test_two_tabs_keep_the_answers_of_both(questions: Path) -> None:
    with browser_page() as page:
        address = (questions / "page.html").as_uri()
        page.goto(address)
        other = page.context.new_page()
        # As in a tab that sleeps: it is not told what another one stored.
        other.add_init_script("addEventListener('storage', (e) => e.stopImmediatePropagation())")
        other.goto(address)
        _seen(page)
        page.keyboard.press("1")
        _shows(page, "1 answered")
        other.keyboard.press("ArrowRight")
        _seen(other)
        other.keyboard.press("2")
        _shows(other, "2 answered")
        _shows(page, "2 answered")
        assert page.evaluate("read().answers") == {"0": "first", "1": "second"}


def test_another_judge_starts_without_the_answers_of_the_last(questions: Path) -> None:
    asked: list[str] = []
    with browser_page() as page:
        page.goto((questions / "page.html").as_uri())
        _seen(page)
        page.keyboard.press("1")
        page.locator("#judge").fill("Ann")
        _shows(page, "pair 2 of 4, 1 answered by Ann")
        page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        page.locator("#new").click()
        assert "removes what Ann answered (1)" in asked[0]
        assert page.evaluate("read().answers") == {"0": "first"}
        page.once("dialog", lambda dialog: dialog.accept())
        page.locator("#new").click()
        assert page.locator("#count").inner_text() == "pair 1 of 4, 0 answered"
        assert page.locator("#judge").input_value() == ""
        page.reload()
        assert page.locator("#count").inner_text() == "pair 1 of 4, 0 answered"


def test_a_phone_shows_the_page_at_its_own_width(questions: Path) -> None:
    with chromium() as browser:
        page = browser.new_context(**PHONE).new_page()
        page.goto((questions / "page.html").as_uri())
        assert page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [393, 393]


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
