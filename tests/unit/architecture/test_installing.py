"""Nothing tells people to install what is not ours: `omnireel` is on no package index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "charts/*/*.md", "infra/**/*.md", "omnireel/**/*.md")
    for page in ROOT.glob(pattern)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTALLS = re.compile(r"pip (?:install|download|wheel)\b[^`\n]*")
FROM_INDEX = re.compile(r"""(?<=[\s'"])omnireel\b""")


def installs(text: str) -> list[str]:
    return INSTALLS.findall(text)


def from_index(command: str) -> bool:
    """Whether pip would look for `omnireel` in an index, where anybody may register the name."""
    return bool(FROM_INDEX.search(command)) and "--no-index" not in command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_install_omnireel_from_the_repository(page: Path) -> None:
    assert [c for c in installs(page.read_text()) if from_index(c)] == []


def test_an_install_from_the_index_would_be_found() -> None:
    wrong = ("pip install 'omnireel[ray]'", "pip download omnireel", 'pip install -U "omnireel"')
    assert all(from_index(command) for command in wrong)
    right = ("pip install -e '.[ray]'", "pip install --no-index -f wheels 'omnireel[client]'")
    assert not any(from_index(command) for command in right)


def test_pages_name_extras_that_exist() -> None:
    named = {
        extra
        for page in PAGES
        for command in installs(page.read_text())
        for extras in re.findall(r"\[([\w,-]+)\]", command)
        for extra in extras.split(",")
    }
    assert {"client", "flash"} <= named
    assert named <= set(PROJECT["optional-dependencies"])


def test_what_only_gpus_can_build_is_in_no_other_extra() -> None:
    extras = PROJECT["optional-dependencies"]
    with_flash = [name for name, needs in extras.items() if "flash" in " ".join(needs)]
    assert with_flash == ["flash"]
    assert "flash" not in (ROOT / "constraints.txt").read_text()
