"""A stack of test engines as real processes, and a browser at its Studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from omnireel.client import stack_key
from services.common.stack.down import stop_stack
from services.common.stack.up import start_stack
from tests.support.browser import PATIENCE_MS, chromium
from tests.support.stack import QUICK, Api, stack_config


class Stack:
    """Where it is, its owner's key, and its gRPC API for what a test prepares."""

    def __init__(self, home: Path) -> None:
        self._release = home / "release"
        environment = {**QUICK, "OMNIREEL_TEST_RELEASE_FILE": str(self._release)}
        self.config = stack_config(home, environment=environment)
        state = start_stack(self.config, lambda _line: None)
        self.url = f"http://{state.http}"
        self.key = stack_key(home)
        self.api = Api(state.gateway, self.key)

    def hold(self) -> None:
        """From now on, a prompt with the word ``hold`` stays before its second step."""
        self._release.unlink(missing_ok=True)

    def release(self) -> None:
        """Let it go on."""
        self._release.touch()

    def stop(self) -> None:
        self.api.close()
        stop_stack(self.config.home, lambda _line: None, 20.0)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("studio"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1360, "height": 900})
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


@pytest.fixture
def errors() -> list[str]:
    """What the browser complained about, such as a failed script or a broken rule of the page."""
    return []


@pytest.fixture
def page(context: BrowserContext, stack: Stack, errors: list[str]) -> Iterator[Page]:
    """Studio with the key entered. A test that makes the browser complain fails."""
    made = context.new_page()
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    made.goto(f"{stack.url}/studio")
    made.get_by_label("API key").fill(stack.key)
    made.keyboard.press("Enter")
    made.get_by_role("button", name="Create video").wait_for()
    # Without a key the page finds out that one is needed; the browser calls that an error.
    assert all("401" in error for error in errors), errors
    errors.clear()
    yield made
    assert not errors, errors
