"""The mean of two models of one architecture."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.averaging import average_models
from omnireel.model.transformer import OmniTransformer
from omnireel.registry import load_component, save_component
from tests.support.tiny_models import small_config, small_transformer


def _saved(folder: Path, model: OmniTransformer, kind: str = "generator", space: str = "a") -> Path:
    card = {"command": f"omnireel train {folder.name}", "recipe": folder.name, "limits": ["few"]}
    return save_component(
        folder, kind=kind, config={"latent_space": space, "transformer": asdict(model.config)},
        state_dict=model.state_dict(), card=card, dtype=None,
    )  # fmt: skip


def test_weights_are_shared_out_and_the_card_tells_of_both(tmp_path: Path) -> None:
    one = small_transformer(seed=1)
    other = OmniTransformer(replace(small_config(), gated_base=False))
    first, second = _saved(tmp_path / "one", one), _saved(tmp_path / "other", other)
    out = average_models(first, second, 0.25, tmp_path / "mean", "the command")
    made = load_component(out)
    theirs = other.state_dict()
    for name, tensor in one.state_dict().items():
        expected = 0.25 * tensor + 0.75 * theirs[name] if name in theirs else tensor
        torch.testing.assert_close(made.state_dict[name], expected, atol=4e-3, rtol=8e-3)
    assert made.card["command"] == "the command" and made.card["limits"] == ["few"]
    assert [s["recipe"] for s in made.card["earlier"]] == ["one", "other"]


def test_unequal_models_have_no_mean(tmp_path: Path) -> None:
    first = _saved(tmp_path / "first", small_transformer())
    with pytest.raises(InvalidInput, match="0 to 1"):
        average_models(first, first, 1.5, tmp_path / "out", "")
    deeper = _saved(tmp_path / "deeper", small_transformer(depth=4))
    with pytest.raises(InvalidInput, match=r"deeper differs in blocks\.3"):
        average_models(first, deeper, 0.5, tmp_path / "out", "")
    upscaler = _saved(tmp_path / "upscaler", small_transformer(), kind="upscaler")
    with pytest.raises(InvalidInput, match="of kind upscaler"):
        average_models(first, upscaler, 0.5, tmp_path / "out", "")
    foreign = _saved(tmp_path / "foreign", small_transformer(), space="b")
    with pytest.raises(InvalidInput, match="another autoencoder"):
        average_models(first, foreign, 0.5, tmp_path / "out", "")
    config = small_config()
    for change in ({"vocabulary": ("other", "words")},
                   {"rotary": replace(config.rotary, theta=1e4)}):  # fmt: skip
        model = OmniTransformer(replace(config, **change))
        other = _saved(tmp_path / "other", model)
        with pytest.raises(InvalidInput, match=rf"differs in transformer\.{min(change)}"):
            average_models(first, other, 0.5, tmp_path / "out", "")
    assert not (tmp_path / "out").exists()
