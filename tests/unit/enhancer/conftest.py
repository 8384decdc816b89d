"""A small network with random weights."""

from __future__ import annotations

import pytest
import torch

from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.modeling import tiny_config
from omnireel.recipes import enhancer_words


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    config = tiny_config(
        enhancer_words.vocabulary(), enhancer_words.lexicon().to_data(), width=32, layers=1
    )
    return Model(config).eval()
