"""The verbs of the command line, loaded only when they are used.

``omnireel --help`` must answer at once, so a verb's help line is known without importing it: from
the table below, or, for verbs that other packages add through the entry-point group
``omnireel.cli``, from the source of what is named: a function's docstring, a Typer app's ``help``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from omnireel.errors import FailedPrecondition, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRY_POINT_GROUP = "omnireel.cli"


@dataclass(frozen=True)
class Verb:
    """Where a verb is (``module:attribute``, a Typer app or a function) and what it needs."""

    name: str
    target: str
    help: str
    extra: str = ""
    """The optional dependencies that it needs beyond the bare package."""


BUILT_IN = (
    Verb("demo", "omnireel.cli.demo:demo", "Make four videos with the services.", "serve"),
    Verb("generate", "omnireel.cli.generate:generate", "Make a video.", "client"),
    Verb("videos", "omnireel.cli.videos:app", "List, show, cancel, delete, download.", "client"),
    Verb("world", "omnireel.cli.world:app", "Render scenes of the procedural world."),
    Verb("data", "omnireel.cli.data:app", "Curate, pack and look at training data.", "train"),
    Verb("train", "omnireel.cli.train:app", "Train a model by recipe.", "train"),
    Verb("eval", "omnireel.cli.eval:app", "Measure a model with exact oracles.", "train"),
    Verb("models", "omnireel.cli.models:app", "Show model components and their cards.", "model"),
    Verb("plan", "omnireel.cli.plan:app", "Estimate capacity from measured times.", "client"),
    Verb("rollout", "omnireel.cli.rollout.verbs:app", "Put a pinned model into service.", "client"),
    Verb("registry", "omnireel.cli.registry:app", "Versions, lineage and promotion.", "train"),
)


def all_verbs() -> dict[str, Verb]:
    """Every verb by name; the built-in ones come first and cannot be replaced."""
    verbs = {verb.name: verb for verb in BUILT_IN}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP)):
        target, extra = f"{point.module}:{point.attr}", next(iter(point.extras), "serve")
        verbs.setdefault(point.name, Verb(point.name, target, _doc_line(target), extra))
    return verbs


def load(verb: Verb) -> Any:
    """The verb as a command.

    Raises:
        FailedPrecondition: something that it imports is not installed.

    """
    module_name, _, attribute = verb.target.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("omnireel", "services", "pipelines"):
            raise
        remedy = f"pip install 'omnireel[{verb.extra}]'" if verb.extra else "reinstall omnireel"
        raise FailedPrecondition(
            f"`omnireel {verb.name}` needs {error.name}, which is not installed: {remedy}"
        ) from error
    if isinstance(found, typer.Typer):
        app = found
    else:
        app = typer.Typer(add_completion=False)
        app.command(verb.name)(found)
    command = typer.main.get_command(app)
    command.name = verb.name
    return command


class VerbGroup(TyperGroup):
    """A group that lists its commands by their help lines and imports one when it is called."""

    @cached_property
    def _verbs(self) -> dict[str, Verb]:
        return all_verbs()

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the table, added ones after."""
        return [*super().list_commands(ctx), *self._verbs]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command's face: enough to list it, and to find it by name."""
        verb = self._verbs.get(cmd_name)
        if verb is None:
            return super().get_command(ctx, cmd_name)
        return _Face(verb)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Swap the face for the command itself: from here on it is going to run."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self._verbs, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `omnireel --help`"
            raise InvalidInput(f"unknown verb {args[0]!r}; {hint}")
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(command.verb) if isinstance(command, _Face) else command, rest


class _Face(TyperCommand):
    def __init__(self, verb: Verb) -> None:
        super().__init__(verb.name, help=verb.help)
        self.verb = verb


def _doc_line(target: str) -> str:
    module_name, _, attribute = target.partition(":")
    try:
        spec = importlib.util.find_spec(module_name)
    except ModuleNotFoundError:
        return ""
    if spec is None or not spec.origin:
        return ""
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return next((line for line in _help_lines(tree, attribute) if line), "")


def _help_lines(tree: ast.Module, attribute: str) -> Iterator[str]:
    """First lines: of the function, of the app's ``help``, then of the module's docstring."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            yield (ast.get_docstring(node) or "").partition("\n")[0]
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            words = node.value.keywords if attribute in map(ast.unparse, node.targets) else ()
            yield from (_constant(word.value) for word in words if word.arg == "help")
    yield (ast.get_docstring(tree) or "").partition("\n")[0]


def _constant(value: ast.expr) -> str:
    text = value.value if isinstance(value, ast.Constant) else ""
    return text.partition("\n")[0] if isinstance(text, str) else ""
