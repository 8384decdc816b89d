"""Choosing a back-end."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.enhancer import EnhancerSpec, OffEnhancer, open_enhancer
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.mvl import parse


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "transformers"}, "enhancer.path"),
        ({"kind": "openai", "model": "m"}, "enhancer.url"),
        ({"kind": "openai", "url": "http://x"}, "enhancer.model"),
        ({"kind": "openai", "url": "file:///etc/passwd", "model": "m"}, "enhancer.url"),
        ({"timeout_s": 0.0}, "enhancer.timeout_s"),
        ({"max_new_tokens": 0}, "enhancer.max_new_tokens"),
        ({"kind": "magic"}, "enhancer.kind"),
    ],
)
def test_a_wrong_spec_names_its_field(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        EnhancerSpec(**fields)  # type: ignore[arg-type]
    assert caught.value.violations[0].field == field


def test_off_passes_prompts_through() -> None:
    enhancer = open_enhancer(EnhancerSpec(kind="off"))
    assert isinstance(enhancer, OffEnhancer)
    prompt = parse("a ball")
    result = enhancer.enhance(prompt, {})
    assert result.prompt is prompt
    assert result.fallback_reason


@pytest.mark.parametrize("kind", ["tiny", "transformers"])
def test_a_missing_folder_is_not_found(kind: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing_here"):
        open_enhancer(EnhancerSpec(kind=kind, path=str(tmp_path / "nothing_here")))  # type: ignore[arg-type]


def test_a_missing_key_variable_is_named() -> None:
    spec = EnhancerSpec(
        kind="openai", url="http://localhost:1", model="m", api_key_env="OMNIREEL_TEST_NO_KEY"
    )
    with pytest.raises(FailedPrecondition, match="OMNIREEL_TEST_NO_KEY"):
        open_enhancer(spec)
