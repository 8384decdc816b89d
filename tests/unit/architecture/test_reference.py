"""docs/serving/reference.md is current, and knows every reason and metric of the services."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from google.rpc import code_pb2

from infra.documents import reasons, reference
from omnireel import errors
from services.common.status import CODES

ROOT = Path(__file__).parents[3]
SOURCES = [ROOT / "omnireel/errors.py", *sorted((ROOT / "services").rglob("*.py"))]
CONSTANT = re.compile(r"[A-Z][A-Z0-9_]+")


def raised() -> Iterator[tuple[str, str]]:
    """Every reason in the sources, and the exception that carries it where that can be seen."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                for word in node.keywords:
                    if word.arg == "reason" and (reason := value_of(word.value, path)):
                        yield reason, ast.unparse(node.func)
            elif (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]).endswith("reason")
                and (reason := value_of(node.value, path))
            ):
                yield reason, ""


def value_of(node: ast.expr, path: Path) -> str:
    """The reason that an expression is: a literal, or a constant of its module."""
    found = node.value if isinstance(node, ast.Constant) else ""
    if isinstance(node, ast.Name) and CONSTANT.fullmatch(node.id):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found = getattr(importlib.import_module(module), node.id)
    return found if isinstance(found, str) and CONSTANT.fullmatch(found) else ""


def test_the_page_is_current() -> None:
    assert reference.PAGE.read_text() == reference.page_text(), (
        "python -m infra.documents.reference"
    )


def test_every_reason_of_the_code_is_listed() -> None:
    listed = {reason.name for reason in reasons.REASONS} | reasons.NOT_FOR_CLIENTS
    found = {reason for reason, _ in raised()}
    assert len(found) > 40
    assert found <= listed, found - listed
    text = "".join(path.read_text() for path in SOURCES)
    assert not [name for name in listed if f'"{name}"' not in text]


def test_reasons_have_the_codes_of_their_exceptions() -> None:
    pairs = {(reason.name, reason.code) for reason in reasons.REASONS}
    for reason, kind in raised():
        error = getattr(errors, kind, None)
        if error in CODES and reason not in reasons.NOT_FOR_CLIENTS:
            assert (reason, code_pb2.Code.Name(CODES[error])) in pairs
    assert {r.http for r in reasons.REASONS if r.name == "PROMPT_SYNTAX"} == {400}


def test_warnings_are_those_of_the_code() -> None:
    places = ("omnireel/generate/unused.py", "services/common/denoising_stage.py")
    text = "".join((ROOT / place).read_text() for place in places)
    found = set(re.findall(r'"((?:PROMPT|INPUT|SOUND)_[A-Z]+)"', text))
    assert found == {code for code, _ in reasons.WARNINGS}


def test_rules_and_dashboards_use_metrics_of_the_page() -> None:
    places = (ROOT / "infra/observability").rglob("*.*")
    text = "".join(path.read_text() for path in places if path.suffix in (".yaml", ".json"))
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"omnireel_\w+", text)}
    known = {row[0].strip("`") for row in reference.metric_rows()}
    assert used & known
    assert {name for name in used - known if f"record: {name}" not in text} <= {"omnireel_"}
