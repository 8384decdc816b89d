"""Prompts and request bodies through every reader of MVL, by hypothesis, and by atheris."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from omnireel.errors import InvalidInput
from omnireel.mvl import Element, Input, Prompt, PromptLimits, parse, validate
from omnireel.mvl.kling import read_kling
from omnireel.mvl.openai import read_openai
from omnireel.types import MediaKind, Role
from tests.fuzz.tally import Tally

names = st.sampled_from(["A", "B_1", "Image_1", "a" * 64, "a" * 65, "1a", "", "é", "@"]) | st.text(
    max_size=8
)
pieces = st.sampled_from(
    [
        "@",
        "@@",
        "@{",
        "}",
        "@A",
        "@{A}",
        "@B_1's",
        " ",
        "a@b.com",
        "\n",
        "\0",
        "\u202e",
        "\U0001d54f",
        "@@@",
    ]
)
texts = st.lists(pieces | names | st.text(max_size=12), max_size=12).map("".join)
inputs = st.builds(Input, names, st.sampled_from(MediaKind), st.sampled_from(Role), texts)
elements = st.builds(Element, names, st.lists(texts, max_size=3).map(tuple), texts)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
keys = st.sampled_from(
    ["type", "text", "image_url", "video_url", "url", "role", "name", "id", "prompt", "image_list",
     "video_list", "element_list", "element_id", "multi_prompt", "contents", "duration", "image"]
)  # fmt: skip
items = st.dictionaries(
    keys,
    values | st.sampled_from(["text", "image_url", "input_image", "first_frame", "prompt"]),
    max_size=4,
)
bodies = st.dictionaries(keys, values | st.lists(items, max_size=3), max_size=5)


def try_prompt(text: str, declared: list[Input], subjects: list[Element]) -> None:
    """What parses is written and parsed to the same again."""
    prompt = parse(text, declared, subjects)
    assert parse(prompt.text, declared, subjects) == prompt
    validate(prompt, PromptLimits())


def fuzz_mvl(count: int, number: int) -> Tally:
    """A third of the inputs for each of the three readers."""
    tally = Tally("mvl")
    quiet = settings(
        max_examples=max(count // 3, 1),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    @quiet
    @given(texts, st.lists(inputs, max_size=3), st.lists(elements, max_size=2))
    def prompts(text: str, declared: list[Input], subjects: list[Element]) -> None:
        with tally.one(repr((text, declared, subjects)), (InvalidInput,)):
            try_prompt(text, declared, subjects)

    @seed(number)
    @quiet
    @given(texts | st.lists(items | values, max_size=4))
    def openai(content: Any) -> None:
        with tally.one(repr(content), (InvalidInput,)):
            assert isinstance(read_openai(content), Prompt)

    @seed(number)
    @quiet
    @given(bodies)
    def kling(body: dict[str, Any]) -> None:
        with tally.one(repr(body), (InvalidInput,)):
            assert isinstance(read_kling(body), Prompt)

    for fuzzer in (prompts, openai, kling):
        fuzzer()
    return tally


ATHERIS = """
import sys, atheris
with atheris.instrument_imports(include=["omnireel.mvl"]):
    import omnireel.mvl, omnireel.mvl.kling, omnireel.mvl.openai
from omnireel.errors import InvalidInput
from omnireel.mvl import Input, Element
from omnireel.types import MediaKind
from tests.fuzz.mvl import try_prompt
def one(data):
    text = atheris.FuzzedDataProvider(data).ConsumeUnicodeNoSurrogates(400)
    try:
        try_prompt(text, [Input("A", MediaKind.IMAGE)], [Element("B_1")])
    except InvalidInput:
        pass
atheris.Setup(sys.argv, one)
atheris.Fuzz()
"""


def fuzz_mvl_by_coverage(count: int, number: int) -> Tally:
    """The parser under atheris, in a process of its own, since libFuzzer ends its process."""
    tally = Tally("mvl-coverage")
    arguments = [f"-runs={count}", f"-seed={number or 1}", "-timeout=30", "-max_len=1200"]
    done = subprocess.run(
        [sys.executable, "-c", ATHERIS, *arguments, "-artifact_prefix=/tmp/"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    tally.inputs = tally.accepted = count
    if "ERROR: libFuzzer: timeout" in done.stderr:
        tally.hangs += 1
        tally.stories.append(done.stderr[-2000:])
    elif done.returncode:
        tally.crash("atheris", done.stderr)
    return tally
