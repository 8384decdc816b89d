"""Settings in docs/serving/{input,storage}.md are true."""

from __future__ import annotations

import re
from pathlib import Path

from services.common.storage.policy import StorageSettings
from services.gateway.settings import GatewaySettings
from services.worker.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
DOCUMENTS = {
    name: (ROOT / "docs/serving" / name).read_text() for name in ("input.md", "storage.md")
}


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
