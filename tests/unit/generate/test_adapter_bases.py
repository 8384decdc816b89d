"""An adapter brings the generator that it was trained on: what is served, or its teacher."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.errors import IntegrityError
from omnireel.generate import GeneratorPipeline
from omnireel.generate.adapters import base_of, merge_adapter
from omnireel.registry import load_component, save_component
from tests.support.engines.random_weights import save_random_adapter, save_random_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("weights")
    folder = save_random_weights(root / "tiny")
    change = save_random_adapter(root / "change", folder / "generator")
    merge_adapter(change, folder / "generator", folder / "teacher")
    return folder


@pytest.mark.parametrize("trained_on", ["generator", "teacher"])
def test_the_base_is_found_by_its_hash(weights: Path, tmp_path: Path, trained_on: str) -> None:
    adapter = save_random_adapter(tmp_path / "adapter", weights / trained_on)
    assert base_of(adapter, weights) == weights / trained_on
    served = GeneratorPipeline.load(weights, adapter=adapter)
    alone = GeneratorPipeline.open(weights / trained_on, weights / "vae")
    assert served.version.partition("+")[0] == alone.version


def test_without_an_adapter_the_student_is_served(weights: Path) -> None:
    assert base_of(None, weights) == weights / "generator"


def test_an_adapter_of_neither_is_refused(weights: Path, tmp_path: Path) -> None:
    stranger = save_random_weights(tmp_path / "stranger", seed=2)
    adapter = save_random_adapter(tmp_path / "adapter", stranger / "generator")
    with pytest.raises(IntegrityError, match="was trained on the generator with weights"):
        GeneratorPipeline.load(weights, adapter=adapter)


@pytest.mark.parametrize("lacking", ["base", "lora"])
def test_an_adapter_that_says_too_little_is_refused(
    weights: Path, tmp_path: Path, lacking: str
) -> None:
    adapter = load_component(save_random_adapter(tmp_path / "adapter", weights / "generator"))
    config = {key: value for key, value in adapter.config.items() if key != lacking}
    folder = save_component(
        tmp_path / "short", kind="adapter", config=config, state_dict=adapter.state_dict, card={}
    )
    with pytest.raises(IntegrityError, match=rf"does not fit this release: KeyError\('{lacking}'"):
        GeneratorPipeline.load(weights, adapter=folder)
