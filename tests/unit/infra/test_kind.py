"""Without Docker, kind is refused by name."""

from __future__ import annotations

import sys

import pytest

from infra.cluster import __main__ as cluster


@pytest.mark.parametrize("what", ["up", "down"])
def test_without_docker_it_says_so(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["cluster", what, "--provider", "kind"])
    assert cluster.main() == 1
    assert "error: docker is missing" in capsys.readouterr().err
