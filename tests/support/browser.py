"""Debian's Chromium, driven as a person would: keys, clicks, downloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.programs import program

PATIENCE_MS = 60_000
PHONE: dict[str, Any] = {
    "viewport": {"width": 393, "height": 727}, "is_mobile": True, "has_touch": True,
}  # fmt: skip
"""Options of a context; without a viewport in the page, it would be laid out for a desk."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window.

    Raises:
        MissingProgram: there is no browser; the message says how to get one.

    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium", "chromium-browser", "google-chrome"),
            # As root, in containers, Chromium's own sandbox cannot start.
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def browser_page() -> Iterator[Page]:
    """A page without network; what the page itself reports as an error fails the test."""
    errors: list[str] = []
    with chromium() as browser:
        context = browser.new_context(offline=True, viewport={"width": 1000, "height": 760})
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert not errors, errors
