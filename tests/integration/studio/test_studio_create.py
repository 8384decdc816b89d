"""From a dropped picture to a downloaded video."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Request, Route, expect

from omnireel.media import write_mp4, write_png
from omnireel.types import Clip
from tests.integration.studio.conftest import Stack
from tests.support.browser import PATIENCE_MS

# The browser's driver closes its pipes when the interpreter collects them.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PICTURE = {
    "name": "red hero.png",
    "mimeType": "image/png",
    "buffer": write_png(np.full((48, 64, 3), 90, np.uint8)),
}
PICTURE_2 = {**PICTURE, "buffer": write_png(np.full((48, 64, 3), 91, np.uint8))}
CLIP = {
    "name": "walk.mp4",
    "mimeType": "video/mp4",
    "buffer": write_mp4(Clip(np.full((9, 64, 112, 3), 60, np.uint8), fps=8.0)),
}
NAMED = """() => [...document.querySelectorAll("input, select, textarea, button, video, img")]
  .filter(e => e.checkVisibility() && !e.labels?.length && !e.ariaLabel && !e.textContent.trim()
    && !e.hasAttribute("alt") && !e.closest(".screen"))
  .map(e => e.outerHTML.slice(0, 120))"""

expect.set_options(timeout=PATIENCE_MS)


def prompt_of(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt", exact=True)


def card_of(page: Page, text: str) -> Locator:
    return page.locator("article").filter(has_text=text)


def test_a_video_from_a_picture_while_another_is_cancelled(
    page: Page, stack: Stack, tmp_path: Path
) -> None:
    stack.hold()
    page.get_by_label("Choose files").set_input_files([PICTURE])  # type: ignore[list-item]
    expect(page.get_by_label("Name of this image")).to_have_value("RedHero")
    prompt = prompt_of(page)
    prompt.press_sequentially("hold-generator @red")
    expect(page.get_by_role("option", name="@RedHero")).to_be_visible()
    prompt.press("Enter")
    prompt.press_sequentially("jumps")
    expect(prompt).to_have_value("hold-generator @RedHero jumps")
    page.get_by_text("Seed, steps and guidance").click()
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Length").select_option(label="1.1\u00a0s · 9 frames")
    expect(page.locator(".thumb.busy")).to_have_count(0)
    prompt.press("Control+Enter")
    first = card_of(page, "hold-generator @RedHero jumps")
    expect(first.get_by_text("Generate · step 1 of 4")).to_be_visible()
    expect(first.get_by_role("img", name="Preview")).to_be_visible()
    expect(first.get_by_text("hold-generator @RedHero jumps, finely detailed")).to_be_visible()
    assert page.evaluate(NAMED) == []

    prompt.fill("@RedHero waits")
    prompt.press("Control+Enter")
    second = card_of(page, "@RedHero waits")
    expect(second.get_by_text(re.compile("^Queued"))).to_be_visible()
    second.get_by_role("button", name="Cancel").click()
    expect(second.locator(".standing")).to_have_text("Cancelled")

    stack.release()
    expect(first.locator(".standing")).to_have_text("Done")
    page.wait_for_function("() => document.querySelector('article video')?.readyState >= 2")
    with page.expect_download() as download:
        first.get_by_role("button", name="Download", exact=True).click()
    download.value.save_as(tmp_path / "result.mp4")
    job_id = first.get_attribute("data-video") or ""
    made = stack.api.get(job_id)
    assert made.settings.seed == 7 and made.settings.format.num_frames == 9
    assert made.prompt.inputs[0].name == "RedHero"
    assert (tmp_path / "result.mp4").read_bytes() == stack.api.download(made.outputs.video.uri)


def test_an_element_a_clip_and_a_new_name(page: Page, stack: Stack) -> None:
    page.get_by_label("Choose files").set_input_files([PICTURE, CLIP])  # type: ignore[list-item]
    page.get_by_role("button", name="Make element").click()
    page.get_by_label("Add images to RedHero").set_input_files([PICTURE_2])  # type: ignore[list-item]
    prompt = prompt_of(page)
    page.locator("li", has=page.get_by_label("Name of this element")).get_by_role(
        "button", name="Mention"
    ).click()
    prompt.press_sequentially("runs in @{Walk}s end")
    page.get_by_label("Name of this element").fill("Rabbit")
    page.keyboard.press("Tab")
    expect(prompt).to_have_value("@Rabbit runs in @{Walk}s end")
    page.get_by_label("What it is").fill("a grey rabbit")
    page.get_by_role("switch", name="Enhance the prompt").uncheck()
    page.get_by_role("switch", name="Upscale").uncheck()
    expect(page.locator(".thumb.busy")).to_have_count(0)
    page.get_by_role("button", name="Create video").click()
    card = card_of(page, "@Rabbit runs in @{Walk}s end")
    expect(card.locator(".standing")).to_have_text("Done")
    made = stack.api.get(card.get_attribute("data-video") or "")
    assert [(e.name, len(e.uris), e.description) for e in made.prompt.elements] == [
        ("Rabbit", 2, "a grey rabbit")
    ]
    assert [i.name for i in made.prompt.inputs] == ["Walk"]
    assert not made.enhance and not made.upscale and made.settings.format.width == 112

    page.get_by_role("button", name="Remove clip Walk").click()
    card.get_by_role("button", name="Use again").click()
    expect(prompt).to_have_value("@Rabbit runs in @{Walk}s end")
    expect(page.locator(".item")).to_have_count(2)
    expect(page.locator(".item .thumb :is(img, video)")).to_have_count(3)
    expect(page.get_by_role("switch", name="Upscale")).not_to_be_checked()


def test_renaming_keeps_the_other_mentions(page: Page) -> None:
    page.get_by_label("Choose files").set_input_files(  # type: ignore[list-item]
        [{**PICTURE, "name": "ball.png"}, {**PICTURE_2, "name": "cat.png"}]
    )
    prompt = prompt_of(page)
    prompt.fill("@Ball hits @Cat hard")
    cat = page.get_by_label("Name of this image").nth(1)
    cat.press("ControlOrMeta+a")
    cat.press_sequentially("Ball2")  # on the way it is the name of the other one
    expect(prompt).to_have_value("@Ball hits @Cat hard")
    cat.press("Tab")
    expect(prompt).to_have_value("@Ball hits @Ball2 hard")

    cat.press("ControlOrMeta+a")
    cat.press("Backspace")
    cat.press_sequentially("Dog x")
    for _ in " x":
        cat.press("Backspace")
    cat.press("Tab")
    expect(prompt).to_have_value("@Ball hits @Dog hard")

    for wrong, problem in (("Ball", "@Ball is the name of another"), ("9", "A name is a letter")):
        cat.fill(wrong)
        cat.press("Tab")
        expect(cat).to_have_value("Dog")
        expect(cat).to_have_accessible_description(re.compile(f"{problem}.*stays @Dog"))
        expect(prompt).to_have_value("@Ball hits @Dog hard")
    cat.fill("Mouse")
    cat.press("Tab")
    expect(cat).to_have_accessible_description("")
    expect(prompt).to_have_value("@Ball hits @Mouse hard")


def test_a_lost_answer_makes_neither_a_second_video_nor_a_conflict(
    page: Page, stack: Stack, errors: list[str]
) -> None:
    stack.hold()
    ids: list[str] = []

    def answer(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        ids.append(route.request.post_data_json["request_id"])
        if len(ids) > 2:
            return route.fallback()
        route.fetch()  # it gets there, and the answer does not get back
        return route.abort()

    page.route(re.compile("/api/v1/videos$"), answer)
    create = page.get_by_role("button", name="Create video")
    prompt_of(page).fill("hold-generator lost")
    create.click()
    lost = card_of(page, "hold-generator lost")
    expect(lost).to_have_count(1)
    expect(page.locator(".problems")).to_contain_text("cannot be reached")
    create.click()
    expect(create).to_be_enabled()
    prompt_of(page).fill("hold-generator edited")
    create.click()
    edited = card_of(page, "hold-generator edited")
    expect(edited).to_have_count(1)
    expect(lost).to_have_count(1)
    expect(page.locator(".problems")).to_be_empty()
    assert ids[0] == ids[1] != ids[2]
    for card in (lost, edited):
        card.get_by_role("button", name="Cancel").click()
        expect(card.locator(".standing")).to_have_text("Cancelled")
    stack.release()
    errors.clear()


def test_two_tabs_leave_connections_free(page: Page, context: BrowserContext, stack: Stack) -> None:
    stack.hold()
    open_streams: set[Request] = set()
    for done in ("requestfinished", "requestfailed"):
        context.on(done, lambda r: open_streams.discard(r))  # type: ignore[call-overload]
    context.on("request", lambda r: open_streams.add(r) if r.url.endswith("/events") else None)
    ids = [stack.api.create(f"hold-generator {number}") for number in range(4)]
    page.reload()
    second = context.new_page()
    second.goto(f"{stack.url}/studio")
    second.get_by_label("API key").fill(stack.key)
    second.keyboard.press("Enter")
    cards = [second.locator(f"article[data-video='{job_id}']") for job_id in ids]
    for card in cards:
        expect(card).to_be_visible()
    with second.expect_response(re.compile(f"/videos/{ids[0]}$")):
        pass  # it is asked after instead
    assert len(open_streams) == 3
    for card in cards:
        card.get_by_role("button", name="Cancel").click()
        expect(card.locator(".standing")).to_have_text("Cancelled")
    stack.release()


def test_mistakes_are_told_beside_their_fields(page: Page, errors: list[str]) -> None:
    prompt = prompt_of(page)
    prompt.fill("@Nobody <img src=x onerror=alert(1)>")
    page.get_by_label("Choose files").set_input_files([PICTURE])  # type: ignore[list-item]
    expect(page.locator(".thumb.busy")).to_have_count(0)
    page.get_by_text("Seed, steps and guidance").click()
    page.get_by_label("Steps", exact=True).fill("99")
    page.get_by_text("Seed, steps and guidance").click()
    page.get_by_role("button", name="Create video").click()
    steps = page.get_by_label("Steps", exact=True)
    expect(steps).to_be_visible()
    expect(steps).to_have_accessible_description(re.compile("must be 1..64"))
    expect(prompt).to_have_accessible_description(re.compile("@Nobody is not declared"))
    expect(prompt).to_be_focused()
    steps.fill("")
    prompt.fill("nothing of it")
    page.get_by_role("button", name="Create video").click()
    name = page.get_by_label("Name of this image")
    expect(name).to_have_accessible_description(re.compile("never mentions it"))
    expect(prompt).not_to_have_attribute("aria-invalid", "true")
    assert len(errors) == 2 and all("400" in error for error in errors), errors
    errors.clear()


def test_a_broken_file_is_told_beside_its_picture(page: Page, errors: list[str]) -> None:
    broken = {**PICTURE, "buffer": b"no picture at all"}
    page.get_by_label("Choose files").set_input_files([broken])  # type: ignore[list-item]
    expect(page.locator(".thumb.bad")).to_be_visible()
    prompt_of(page).fill("@RedHero jumps")
    page.get_by_role("button", name="Create video").click()
    expect(page.locator(".problems")).to_contain_text("@RedHero: red hero.png")
    errors.clear()


def test_a_failed_video_says_why(page: Page) -> None:
    prompt_of(page).fill("a ball fail-integrity-generator")
    page.get_by_role("button", name="Create video").click()
    card = card_of(page, "fail-integrity-generator")
    expect(card.locator(".standing")).to_have_text("Failed")
    expect(card.get_by_role("alert")).to_contain_text("the test engine found a wrong hash")


def test_the_key_stays_in_the_tab(context: BrowserContext, stack: Stack) -> None:
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{stack.url}/studio")
    key = page.get_by_label("API key")
    key.fill("or_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(re.compile("not valid"))
    key.fill(stack.key)
    page.get_by_role("button", name="Open Studio").click()
    page.get_by_role("button", name="Create video").wait_for()
    page.reload()
    page.get_by_role("button", name="Create video").wait_for()
    assert page.evaluate("Object.values(sessionStorage)") == [stack.key]
    assert page.evaluate("localStorage.length") == 0 and page.evaluate("document.cookie") == ""
    assert not any(stack.key in url for url in [*asked, page.url])
    assert all(url.startswith((stack.url, "blob:")) for url in asked)
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_label("API key")).to_have_value("")
    assert page.evaluate("sessionStorage.length") == 0
