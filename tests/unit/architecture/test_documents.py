"""Every command, setting, link and anchor of every page is true."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from omnireel.cli.main import app
from omnireel.recipes import RECIPES, build_recipe
from omnireel.recipes.config import override
from tests.support.gateway import RESULT, FakeGateway

ROOT = Path(__file__).parents[3]
TRACKED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
    cwd=ROOT, capture_output=True, text=True, check=True,
).stdout.split()  # fmt: skip
PAGES = {name: (ROOT / name).read_text() for name in TRACKED}
MAIN = ("README.md", "CONTRIBUTING.md")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
SHELL = re.compile(r"^(?:&&|\|\|?|;|&|\d?>{1,2}.*|<.*|\))$")
ASSIGNMENTS = re.compile(r"(?:[A-Z_][A-Z0-9_]*=\S* )*")


def blocks(language: str, pages: tuple[str, ...]) -> list[str]:
    found = [FENCE.findall(PAGES[name]) for name in pages]
    return [body for kind, body in itertools.chain(*found) if kind == language]


def lines_of(name: str) -> Iterator[str]:
    for body in blocks("bash", (name,)):
        yield from (line.strip() for line in body.replace("\\\n", " ").splitlines())


def words_of(line: str, program: str) -> list[str] | None:
    """The arguments of a line that calls the program, up to a pipe or the like."""
    line = line[ASSIGNMENTS.match(line).end() :]  # type: ignore[union-attr]
    if not line.startswith(f"{program} "):
        return None
    words = shlex.split(line, comments=True)[1:]
    return list(itertools.takewhile(lambda word: not SHELL.match(word), words))


def commands(program: str) -> list[tuple[str, tuple[str, ...]]]:
    """Page and arguments of every call in a block."""
    found = ((name, words_of(line, program)) for name in PAGES for line in lines_of(name))
    return list(dict.fromkeys((name, tuple(words)) for name, words in found if words))


def mentions() -> list[tuple[str, tuple[str, ...]]]:
    """Page and arguments of every call of `omnireel` in the text around the blocks."""
    found = (
        (name, words_of(code, "omnireel"))
        for name, text in PAGES.items()
        for code in CODE.findall(FENCE.sub("", text))
        if name != "CHANGELOG.md" and "..." not in code and "|" not in code
    )
    return list(dict.fromkeys((name, tuple(words)) for name, words in found if words))


def parse(arguments: tuple[str, ...]) -> tuple[list[str], dict[str, Any]]:
    """Down to the command that would run: its path and its parameters, converted and in range."""
    command = typer.main.get_command(app)
    context, path = command.make_context("omnireel", list(arguments)), list[str]()
    while rest := [*getattr(context, "_protected_args", ()), *context.args]:
        name, command, rest = context.command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        path.append(name)
        if not hasattr(command, "resolve_command"):
            break
    return path, context.params


@pytest.mark.parametrize(("page", "arguments"), commands("omnireel"))
def test_commands_are_whole(page: str, arguments: tuple[str, ...]) -> None:
    path, params = parse(arguments)
    assert path
    if path[0] == "train" and path[-1] in RECIPES and params.get("assign"):
        settings = [each for value in params["assign"] for each in value.split()]
        override(build_recipe(path[-1]), tuple(settings))


@pytest.mark.parametrize(("page", "arguments"), mentions())
def test_commands_in_the_text_have_known_names_and_options(
    page: str, arguments: tuple[str, ...]
) -> None:
    """A text may name a verb or an option without what it needs, and nothing that is unknown."""
    try:
        assert parse(arguments)[0]
    except typer.Exit as done:
        assert done.exit_code == 0
    except typer.TyperException as error:
        named_alone = type(error).__name__ in ("MissingParameter", "NoArgsIsHelpError")
        bare_option = "requires an argument" in str(error) and arguments[-1].startswith("--")
        assert named_alone or bare_option, error


@pytest.mark.parametrize(
    "wrong",
    [
        "generate a --colour red", "generate", "plan serve --jobs-per-hour many",
        "plan serve --jobs-per-hour 9 --slots 0", "evaluate",
    ],
)  # fmt: skip
def test_a_wrong_command_would_be_found(wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing|should be|unknown verb"):
        parse(tuple(wrong.split()))


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-")


@cache
def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text())
    return {slug(heading) for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_lead_somewhere(page: str) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", PAGES[page])):
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        if "://" in target or target.startswith("mailto:"):
            continue
        if not found.exists() or (
            anchor and found.suffix == ".md" and anchor not in anchors(found)
        ):
            dead.append(target)
    assert not dead


@pytest.mark.parametrize(("page", "arguments"), commands("make"))
def test_make_targets_exist(page: str, arguments: tuple[str, ...]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{arguments[0]}:", makefile, re.MULTILINE)


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks("python", MAIN)
    assert len([line for line in example.splitlines() if line]) <= 15
    monkeypatch.chdir(tmp_path)
    for name in ("front.png", "left.png", "right.png"):
        Path(name).write_bytes(name.encode())
    with FakeGateway() as gateway:
        source = example.replace("127.0.0.1:7070", gateway.address)
        assert source != example
        exec(compile(source, "README.md", "exec"), {})
        (request,) = gateway.seen.creates
    assert Path("hero.mp4").read_bytes() == RESULT
    assert len(request.prompt.elements[0].uris) == 3
    assert "generating step 1/4" in capsys.readouterr().err


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 170
