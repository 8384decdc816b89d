"""What was made: pages, deletion, and results side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from omnireel.api.v1 import video_pb2
from tests.integration.studio.conftest import Stack
from tests.support.browser import PATIENCE_MS

# The browser's driver closes its pipes when the interpreter collects them.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PAGE = 12
TIMES = "() => [...document.querySelectorAll('.tile video')].map(v => v.currentTime)"
SEEKED = "() => [...document.querySelectorAll('.tile video')].every(v => !v.seeking)"

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def made(stack: Stack) -> Iterator[list[str]]:
    """More videos than a page holds, oldest first; the last two are finished."""
    ids = []
    for number in range(PAGE):
        ids.append(stack.api.create(f"old {number}"))
        stack.api.cancel(ids[-1])
    for seed in (3, 4):
        fields = {"settings": {"seed": seed, "shape": {"duration_s": 9 / 8}}}
        ids.append(stack.api.create(f"new {seed}", **fields))
    for job_id in ids:
        stack.api.finish(job_id)
    yield ids
    for job_id in ids:
        if stack.api.state_or_gone(job_id) is not None:
            stack.api.delete(job_id)


def test_pages_states_and_deletion(page: Page, stack: Stack, made: list[str]) -> None:
    page.get_by_role("link", name="History").click()
    items = page.locator(".history li")
    expect(items).to_have_count(PAGE)
    expect(items.first).to_contain_text("new 4")
    expect(items.first.locator("img")).to_be_visible()
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("Page 2")).to_be_visible()
    expect(items.filter(has_text="old 0")).to_have_count(1)
    page.get_by_role("button", name="Newer").click()
    expect(items.first).to_contain_text("new 4")

    items.first.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep").click()
    assert stack.api.state_or_gone(made[-1]) == video_pb2.VIDEO_STATE_SUCCEEDED
    items.first.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(items.first).to_contain_text("new 3")
    assert stack.api.state_or_gone(made[-1]) is None

    page.get_by_label("Show").select_option("Queued")
    expect(page.get_by_text("No video is in this state.")).to_be_visible()
    page.get_by_label("Show").select_option("All")
    items.filter(has_text="new 3").get_by_role("button", name="Open").click()
    expect(page.locator("article").filter(has_text="new 3").locator("video")).to_be_visible()


def test_the_page_before_follows_an_emptied_one(page: Page, stack: Stack, made: list[str]) -> None:
    page.get_by_role("link", name="History").click()
    items, number, older = page.locator(".history li"), 1, page.get_by_role("button", name="Older")
    expect(items).to_have_count(PAGE)
    while older.is_enabled():
        older.click()
        number += 1
        expect(page.get_by_text(f"Page {number}")).to_be_visible()
    for job_id in items.evaluate_all("all => all.map(item => item.dataset.video)")[1:]:
        stack.api.delete(job_id)
    page.get_by_role("button", name="Refresh").click()
    expect(items).to_have_count(1)
    items.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(items).to_have_count(PAGE)
    expect(page.get_by_text("Nothing yet")).to_be_hidden()


def test_taking_out_what_is_still_loading(page: Page, made: list[str]) -> None:
    waiting: list[Route] = []
    page.route(re.compile("/outputs/video"), lambda route: waiting.append(route))
    page.get_by_role("link", name="History").click()
    for text in ("new 3", "new 4"):
        page.locator(".history li").filter(has_text=text).get_by_label("Compare").check()
    page.get_by_role("link", name="Compare (2)").click()
    expect(page.locator(".tile .waiting")).to_have_count(2)
    with page.expect_request(re.compile("/outputs/video")):
        page.get_by_role("button", name="Take out").first.click()
    expect(page.locator(".tile")).to_have_count(1)
    *stale, shown = waiting
    shown.continue_()
    page.wait_for_function("() => document.querySelector('.tile video')?.readyState >= 2")
    for route in stale:
        with page.expect_event("requestfinished"):
            route.continue_()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => document.querySelector('.tile video').currentTime > 0")


def test_results_side_by_side_in_step(page: Page, made: list[str]) -> None:
    page.get_by_role("link", name="History").click()
    for text in ("new 3", "new 4"):
        page.locator(".history li").filter(has_text=text).get_by_label("Compare").check()
    page.get_by_role("link", name="Compare (2)").click()
    page.wait_for_function(
        "() => { const v = [...document.querySelectorAll('.tile video')];"
        " return v.length === 2 && v.every(x => x.readyState >= 2); }"
    )
    page.get_by_role("button", name="One frame on").click()
    page.get_by_role("button", name="One frame on").click()
    page.wait_for_function(SEEKED)
    assert page.evaluate(TIMES) == [pytest.approx(2.5 / 8)] * 2

    page.get_by_label("Time of all videos").press("ArrowRight")
    page.wait_for_function(SEEKED)
    assert page.evaluate(TIMES) == [pytest.approx(3.5 / 8)] * 2

    page.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "before => document.querySelector('.tile video').currentTime != before",
        arg=page.evaluate(TIMES)[0],
    )
    page.get_by_role("button", name="Pause").click()
    page.wait_for_function(SEEKED)
    one, two = page.evaluate(TIMES)
    assert one == pytest.approx(two, abs=1e-3)

    page.get_by_label("Which output").first.select_option("base")
    page.wait_for_function("() => document.querySelector('.tile video')?.videoWidth === 64")
    page.get_by_role("button", name="Take out").first.click()
    expect(page.get_by_text("Pick two to 4 finished videos")).to_be_visible()
