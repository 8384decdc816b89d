"""Settings, commands and links in docs/serving/{input,storage}.md are true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from services.common.storage.policy import StorageSettings
from services.gateway.settings import GatewaySettings
from services.worker.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
DOCUMENTS = {
    name: (ROOT / "docs/serving" / name).read_text() for name in ("input.md", "storage.md")
}


def commands() -> list[list[str]]:
    blocks = [
        b for text in DOCUMENTS.values() for b in re.findall(r"```bash\n(.*?)```", text, re.S)
    ]
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [line[1:] for line in lines if line and line[0] == "omnireel"]


@pytest.mark.parametrize("arguments", commands(), ids=shlex.join)
def test_commands_exist(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


def test_settings_exist() -> None:
    known = {
        f"OMNIREEL_{prefix}_{name}".upper()
        for prefix, kind in (
            ("gateway", GatewaySettings), ("worker", WorkerSettings), ("storage", StorageSettings)
        )
        for name in kind.model_fields
    }  # fmt: skip
    text = "".join(DOCUMENTS.values())
    named = set(re.findall(r"OMNIREEL_[A-Z0-9_]*[A-Z0-9]", text)) - {
        "OMNIREEL_GATEWAY", "OMNIREEL_STORAGE"
    }  # fmt: skip
    assert named and named <= known
    prefixes = {"input.md": ("GATEWAY", "WORKER"), "storage.md": ("STORAGE",)}
    for document, allowed in prefixes.items():
        for name in re.findall(r"`([A-Z0-9]+(?:_[A-Z0-9]+)+)`", DOCUMENTS[document]):
            full = {f"OMNIREEL_{prefix}_{name}" for prefix in allowed}
            reasons = {"INVALID_ARGUMENT", "SAFETY_REFUSED", "SAFETY_UNAVAILABLE",
                       "RESOURCE_EXHAUSTED", "IN_USE", "INPUT_CUT", "INPUT_CROPPED",
                       "PROMPT_CUT"}  # fmt: skip
            assert full & known or name in reasons or name in named, name


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", DOCUMENTS[name]):
        assert (ROOT / "docs/serving" / target).exists(), target
