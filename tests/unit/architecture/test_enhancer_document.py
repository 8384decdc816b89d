"""What docs/serving/enhancer.md tells to set opens the back-end that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from services.common.settings import load_settings
from services.common.stack.config import StackConfig
from services.prompt_enhancer.settings import PromptEnhancerSettings
from tests.support.charts import PRODUCTION, render

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/serving/enhancer.md").read_text()
PREFIX = "OMNIREEL_PROMPT_ENHANCER_"
BLOCKS = [
    re.findall(r"^export (\w+)=(\S+)", body, re.MULTILINE)
    for body in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    if "omnireel up" in body
]
VALUES = [yaml.safe_load(body) for body in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize(
    ("block", "kind"), list(zip(BLOCKS, ("transformers", "openai"), strict=True))
)
def test_variables_reach_the_service_under_omnireel_up(
    block: list[tuple[str, str]], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in block:
        monkeypatch.setenv(name, value)
    stack = StackConfig(tmp_path)
    stack.require_no_override()
    for name, value in stack.environment_of("prompt_enhancer", {}).items():
        monkeypatch.setenv(name, value)
    spec = load_settings(PromptEnhancerSettings).spec()
    assert spec.kind == kind
    given = {name.removeprefix(PREFIX).lower(): value for name, value in block if PREFIX in name}
    given.pop("backend")
    assert given == {name: getattr(spec, name) for name in given}
    assert not spec.api_key_env or spec.api_key_env in dict(block)


@pytest.mark.parametrize(
    ("values", "kind"), list(zip(VALUES, ("transformers", "openai"), strict=True))
)
def test_values_reach_the_pod(
    values: dict[str, object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = render(PRODUCTION, values)
    (config,) = [
        o["data"]
        for o in rendered.objects
        if o["kind"] == "ConfigMap" and o["metadata"]["name"].endswith("prompt-enhancer")
    ]
    for name, value in config.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv(f"{PREFIX}STORE_URL", "file:///store")
    assert load_settings(PromptEnhancerSettings).spec().kind == kind


def test_settings_exist() -> None:
    known = {f.upper() for f in PromptEnhancerSettings.model_fields}
    named = set(re.findall(rf"{PREFIX}([A-Z_]*[A-Z])", PAGE))
    named |= set(re.findall(r"^\| `([A-Z_]+)`", PAGE, re.MULTILINE))
    assert {"BACKEND", "PATH", "URL", "MODEL", "MAX_NEW_TOKENS"} <= named <= known
    for name, default in re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", PAGE, re.MULTILINE):
        assert PromptEnhancerSettings.model_fields[name.lower()].default == float(default)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", PAGE):
        assert (ROOT / "docs/serving" / target).exists(), target
