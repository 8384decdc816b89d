from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.errors import InvalidInput
from omnireel.secret import is_reference, read_secret


def test_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n")
    monkeypatch.setenv("A_SECRET", "from the environment")
    assert read_secret(f"file:{file}", "x") == "from a file"
    assert read_secret("env:A_SECRET", "x") == "from the environment"
    assert is_reference("file:/a") and is_reference("env:A")
    assert not is_reference("file:///a") and not is_reference("postgresql://a:b@c/d")


def test_what_is_wrong_is_named_and_no_secret_is_shown(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for reference, says in (
        (f"file:{tmp_path / 'none'}", "none"),
        (f"file:{tmp_path / 'empty'}", "empty"),
        ("env:NOT_THERE", "NOT_THERE"),
    ):
        with pytest.raises(InvalidInput, match=says) as caught:
            read_secret(reference, "password")
        assert caught.value.violations[0].field == "password"
    with pytest.raises(InvalidInput, match="by reference") as caught:
        read_secret("hunter2", "password")
    assert "hunter2" not in str(caught.value)
