"""How the command line is put together and how it fails."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from omnireel.cli import verbs
from omnireel.cli.main import MainGroup, app
from omnireel.cli.printing import describe
from omnireel.cli.verbs import Verb
from omnireel.errors import (
    FieldViolation,
    IntegrityError,
    InvalidInput,
    PromptSyntaxError,
    ResourceExhausted,
)

RUNNER = CliRunner()


def test_help_imports_no_verb_and_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from omnireel.cli.main import app\n"
        "result = CliRunner().invoke(app, ['--help'])\n"
        "assert result.exit_code == 0, result.output\n"
        "for verb in ('generate', 'videos', 'world', 'train', 'eval', 'models', 'up', 'down'):\n"
        "    assert verb in result.output, verb\n"
        "heavy = {'torch', 'grpc', 'numpy', 'av', 'PIL', 'mlflow', 'services.common.stack.cli'}\n"
        "heavy |= {'omnireel.cli.' + v for v in ('generate', 'videos', 'world', 'train', 'eval')}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_version_and_unknown_verb() -> None:
    assert "omnireel 0" in RUNNER.invoke(app, ["--version"]).output
    unknown = RUNNER.invoke(app, ["generat"])
    assert unknown.exit_code == 2
    assert unknown.stderr == "error: unknown verb 'generat'; did you mean 'generate'?\n"
    assert RUNNER.invoke(app, []).exit_code == 2


def make_app(error: BaseException) -> typer.Typer:
    broken = typer.Typer(cls=MainGroup, pretty_exceptions_enable=False)

    @broken.callback()
    def root(debug: bool = False) -> None:
        pass

    @broken.command()
    def fail() -> None:
        raise error

    return broken


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InvalidInput("too wide; use 64", field="width"), 2, "error: width: too wide; use 64\n"),
        (IntegrityError("model.safetensors was changed"), 1, "error: model.safetensors was chan"),
        (ValueError("surprise"), 1, "error: ValueError: surprise (this is a fault of omnireel"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_a_failure_is_one_line_and_a_status(error: BaseException, code: int, line: str) -> None:
    result = RUNNER.invoke(make_app(error), ["fail"])
    assert result.exit_code == code
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert not result.stdout


def test_debug_shows_the_traceback() -> None:
    result = RUNNER.invoke(make_app(ValueError("surprise")), ["--debug", "fail"])
    assert "Traceback" in result.stderr
    assert result.exit_code == 1


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "verb_that_needs_more.py").write_text("import package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    table = (Verb("learn", "verb_that_needs_more:app", "Learn.", "train"),)
    monkeypatch.setattr(verbs, "BUILT_IN", table)
    result = RUNNER.invoke(app, ["learn"])
    assert result.exit_code == 1
    assert "package_that_nobody_has" in result.stderr
    assert "pip install 'omnireel[train]'" in result.stderr


def test_every_verb_has_a_whole_plain_help_line() -> None:
    listing = (
        RUNNER.invoke(app, ["--help"]).stdout.partition("Commands:")[2].partition("Example")[0]
    )
    lines = [line.strip() for line in listing.splitlines() if line.strip()]
    assert len(lines) == len(verbs.all_verbs())
    assert not [line for line in lines if "`" in line or line.endswith("...")]


def parameters(command: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every option and argument below a command, and its help text."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from parameters(inner, f"{path} {name}")
    for parameter in command.params:
        if parameter.name != "help":
            yield f"{path} {parameter.opts[0]}", getattr(parameter, "help", None) or ""


@pytest.mark.parametrize("name", verbs.all_verbs())
def test_help_texts_of_options_stand_alone(name: str) -> None:
    """No text reads on from the option's name, as `--price  Of one device` would."""
    fragment = re.compile(r"(Of|For|In|With|At|To|As|Id|By|What|Which|How|Where|Whose|So)\b")
    texts = dict(parameters(verbs.load(verbs.all_verbs()[name]), name))
    assert not {at: text for at, text in texts.items() if not text or fragment.match(text)}


def test_added_verbs_have_the_help_line_of_their_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "added_verbs.py").write_text(
        "'''Module line.'''\nraise RuntimeError('imported')\ndef up():\n    '''Start it.'''\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert verbs._doc_line("added_verbs:up") == "Start it."
    assert verbs._doc_line("added_verbs:other") == "Module line."
    (tmp_path / "added_app.py").write_text(
        '"""Module line."""\napp = typer.Typer(name="app", help="See all.\\n\\nMore.")\n'
    )
    assert verbs._doc_line("added_app:app") == "See all."
    assert verbs._doc_line("no_such_module:up") == ""


def test_descriptions() -> None:
    syntax = PromptSyntaxError("@Gril is not declared; did you mean @Girl?", position=2)
    assert describe(syntax) == (
        "prompt: @Gril is not declared; did you mean @Girl? (at character 2)"
    )
    many = InvalidInput("bad", violations=(FieldViolation("a", "x"), FieldViolation("b", "y")))
    assert describe(many) == "a: x; b: y"
    whole = InvalidInput("a: x; b: y", violations=many.violations)
    assert describe(whole) == "a: x; b: y"
    assert describe(ResourceExhausted("full", retry_after_s=2.5)) == "full; try again in 2.5 s"
    said = ResourceExhausted("full; try again in a moment", retry_after_s=2.5)
    assert describe(said) == "full; try again in a moment"
