"""What all tests share: a program that is missing skips a test, but not in CI."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.support.programs import MissingProgram


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    yield from _skipping_what_is_missing()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    yield from _skipping_what_is_missing()


def _skipping_what_is_missing() -> Generator[None, None, None]:
    try:
        yield
    except MissingProgram as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
