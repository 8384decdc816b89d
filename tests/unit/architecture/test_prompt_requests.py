"""The requests of docs/serving/prompts.md are accepted, and are those of the benchmark's rows."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from omnireel.api.v1 import capabilities_pb2, media_pb2, mvl_pb2, video_pb2
from omnireel.cli.generate import generate
from omnireel.cli.parsing import named_path_lists, named_paths, named_values
from omnireel.evaluate.bench.suite import FORMAT, chosen, sample_of
from omnireel.mvl import PromptLimits
from omnireel.mvl.prompt import Prompt
from omnireel.mvl.validate import _AT_MOST_ONE, _ROLES_BY_KIND
from omnireel.types import MediaKind, Role
from omnireel.world.tasks import CAPABILITIES
from services.common.convert_generation import model_info_to_proto
from services.common.convert_mvl import prompt_to_proto
from services.gateway.resolve import resolve
from tests.support.engines.capabilities import test_model as described_model

PAGE = (Path(__file__).parents[3] / "docs/serving/prompts.md").read_text()
REQUESTS = {
    row: line for line, row in re.findall(r"^(omnireel .+?) +# (C\d+)$", PAGE, re.MULTILINE)
}
Given = Counter[tuple[str, str]]


def can() -> capabilities_pb2.Capabilities:
    made = model_info_to_proto(described_model("generator")).capabilities
    del made.tasks[:]
    for row in CAPABILITIES:
        made.tasks.add(id=row, trained=True)
    return made


def accepted(prompt: mvl_pb2.Prompt) -> video_pb2.CreateVideoRequest:
    kinds = {i.uri: i.kind for i in prompt.inputs}
    kinds |= {uri: mvl_pb2.MEDIA_KIND_IMAGE for e in prompt.elements for uri in e.uris}
    media = {
        uri: media_pb2.Media(uri=uri, kind=kind, width=64, height=64, num_frames=17, fps=8.0)
        for uri, kind in kinds.items()
    }
    return resolve(video_pb2.CreateVideoRequest(prompt=prompt), can(), media.get, 0.0)


def prompt_of(line: str) -> mvl_pb2.Prompt:
    """The prompt that the command line would send."""
    app = typer.Typer(add_completion=False)
    app.command()(generate)
    asked = typer.main.get_command(app).make_context("generate", shlex.split(line)[2:]).params
    roles = named_values(asked["role"] or (), "--role", "")
    made = mvl_pb2.Prompt(text=asked["prompt"])
    for kind in ("image", "video"):
        for name, path in named_paths(asked[kind] or (), f"--{kind}", "").items():
            made.inputs.add(
                name=name,
                uri=str(path),
                kind=mvl_pb2.MediaKind.Value(f"MEDIA_KIND_{kind.upper()}"),
                role=mvl_pb2.Role.Value(f"ROLE_{roles.get(name, 'reference').upper()}"),
            )
    for name, paths in named_path_lists(asked["element"] or (), "--element", "").items():
        made.elements.add(name=name, uris=[str(path) for path in paths])
    return made


def given(prompt: mvl_pb2.Prompt) -> Given:
    """How many media of each kind and role; elements as a kind of their own."""
    return Counter(
        [(mvl_pb2.MediaKind.Name(i.kind), mvl_pb2.Role.Name(i.role)) for i in prompt.inputs]
        + [("ELEMENT", "") for _ in prompt.elements]
    )


def benchmark_prompt(prompt: Prompt) -> mvl_pb2.Prompt:
    made = prompt_to_proto(prompt)
    for number, declared in enumerate(made.inputs):
        declared.uri = f"input-{number}"
    for element in made.elements:
        element.uris[:] = [f"{element.name}-{view}" for view in range(3)]
    return made


def test_every_capability_has_a_request() -> None:
    assert set(REQUESTS) == set(CAPABILITIES)


@pytest.mark.parametrize("row", CAPABILITIES)
def test_the_gateway_takes_the_request_and_the_benchmark_cases(row: str) -> None:
    prompt = prompt_of(REQUESTS[row])
    assert accepted(prompt).prompt.parts
    small = replace(FORMAT, width=16, height=16)
    cases = [benchmark_prompt(sample_of(c, small).prompt) for c in chosen((row,), quick=True)]
    for case in cases:
        assert accepted(case).prompt.parts == case.parts
    assert given(prompt) in [given(case) for case in cases]


def test_the_limits_are_the_defaults() -> None:
    table = PAGE.partition("## Limits")[2]
    numbers = [int(n.replace(",", "")) for n in re.findall(r"\| ([\d,]+) \|$", table, re.MULTILINE)]
    assert numbers == list(vars(PromptLimits()).values())


def test_every_role_has_a_row_with_its_number() -> None:
    rows = re.findall(r"^\| `(\w+)`(?: \(default\))? \| (\w+) \| (\w+) \|", PAGE, re.MULTILINE)
    shown = {(MediaKind(kind), Role(role)) for role, kind, _ in rows}
    allowed = {(kind, role) for kind, roles in _ROLES_BY_KIND.items() for role in roles}
    unusual = {(MediaKind.IMAGE, Role.SOURCE), (MediaKind.VIDEO, Role.ANNOTATION)}
    assert shown == allowed - unusual
    assert {Role(role) for role, kind, number in rows if number == "one" and kind == "image"} | {
        Role(role) for role, kind, number in rows if kind == "video"
    } == {*_AT_MOST_ONE, Role.REFERENCE}
