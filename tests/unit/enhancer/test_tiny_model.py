"""The tiny enhancer's network and back-end, on a random model and on the shipped one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from omnireel.enhancer import EnhancerSpec, open_enhancer
from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.enhancer.tiny.dialogue import Dialogue, read_prompt
from omnireel.enhancer.tiny.modeling import PATCHES, tiny_config
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.errors import IntegrityError
from omnireel.mvl import parse
from omnireel.recipes import enhancer_words
from omnireel.registry import save_component
from omnireel.train.objectives.cross_entropy import IGNORED, CrossEntropy


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    config = tiny_config(
        enhancer_words.vocabulary(), enhancer_words.lexicon().to_data(), width=32, layers=1
    )
    return Model(config).eval()


def test_patches_take_the_places_of_image_tokens(model: Model) -> None:
    image = model.config.image_token_id
    ids = torch.tensor([[1, *[image] * PATCHES, 7], [1, 7, *[image] * PATCHES]])
    pixels = torch.rand(2, 3, 32, 32)
    embedded = model.embed(ids, pixels)
    patches = model.vision(pixels)
    torch.testing.assert_close(embedded[0, 1 : 1 + PATCHES], patches[0])
    torch.testing.assert_close(embedded[1, 2 : 2 + PATCHES], patches[1])


def test_cached_generation_equals_a_full_forward_pass(model: Model) -> None:
    ids = [1, 20, 30, 40, 50]
    answer = model.answer(ids, None, max_new_tokens=6, end_id=-1)
    for i in range(6):
        hidden = model(torch.tensor([ids + answer[:i]]))
        assert int(model.logits(hidden[0, -1]).argmax()) == answer[i]


def test_the_loss_reads_answer_tokens_only(model: Model) -> None:
    class Batch:
        ids_BN = torch.tensor([[1, 20, 30, 40], [1, 21, 31, 0]])
        labels_BN = torch.tensor([[IGNORED, IGNORED, 30, 40], [IGNORED, IGNORED, 31, IGNORED]])
        pixels_ICHW = torch.zeros(0, 3, 32, 32)

    def no_validation() -> None:
        raise AssertionError

    objective = CrossEntropy(model, evaluate=no_validation)  # type: ignore[arg-type]
    report = objective.loss(Batch(), torch.Generator())
    scores = model.logits(model(Batch.ids_BN, None)).log_softmax(-1)
    expected = -(scores[0, 1, 30] + scores[0, 2, 40] + scores[1, 1, 31]) / 3
    torch.testing.assert_close(report.loss, expected)
    assert report.num_samples == 2


def test_a_component_is_saved_checked_and_read(model: Model, tmp_path: Path) -> None:
    config = json.loads(model.config.to_json_string(False))
    folder = save_component(
        tmp_path / "enhancer",
        kind="enhancer",
        config=config,
        state_dict=model.state_dict(),
        card={},
        dtype=None,
    )
    enhancer = open_enhancer(EnhancerSpec(path=str(folder)))
    assert isinstance(enhancer, TinyEnhancer)
    ids = [1, 20, 30]
    assert enhancer.model.answer(ids, None, max_new_tokens=4, end_id=-1) == model.answer(
        ids, None, max_new_tokens=4, end_id=-1
    )
    again = Model.from_pretrained(folder)
    torch.testing.assert_close(again.state_dict(), model.state_dict())
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(IntegrityError):
        open_enhancer(EnhancerSpec(path=str(folder)))


class Scripted(TinyEnhancer):
    """Answers what it is told to."""

    says: tuple[str, ...] = ()

    def write(self, dialogue: Dialogue, draft: int = 0) -> str:
        said = self.says[min(draft, len(self.says) - 1)]
        return f'<think> x </think>{{"subjects":["x"],"description":"{said}"}}'


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        ("a crimson orb", "a red ball rolls in a meadow.", ""),
        ("a crimson orb", "a green ball rolls in a meadow.", "would have lost 'red'"),
        ("a red ball on the beach", "a red ball rolls.", "would have lost 'beach'"),
        ("a zorple ball", "a <w0> ball rolls.", ""),
        ("a zorple ball", "a ball rolls.", "does not know 'zorple'"),
        ("a ball", "a <w0> ball rolls.", "not given"),
    ],
)
def test_facts_and_unknown_words_are_guarded(
    model: Model, asked: str, said: str, reason: str
) -> None:
    enhancer = Scripted(model)
    enhancer.says = (said,)
    prompt = parse(asked)
    result = enhancer.enhance(prompt, {})
    if reason:
        assert reason in result.fallback_reason
        assert result.prompt == prompt
    else:
        assert result.fallback_reason == ""
        assert result.prompt.text == f"A{said[1:]}".replace("<w0>", "zorple")


def test_the_first_draft_that_keeps_every_fact_is_used(model: Model) -> None:
    enhancer = Scripted(model)
    enhancer.says = ("a blue ball rolls.", "a red cube rolls.", "a red ball rolls.", "a red ball.")
    result = enhancer.enhance(parse("a red ball"), {})
    assert result.prompt.text == "A red ball rolls."
    enhancer.says = ("a blue ball rolls.", "a red cube rolls.")
    result = enhancer.enhance(parse("a red ball"), {})
    assert "would have lost 'red'" in result.fallback_reason
    assert '"a blue ball rolls."' in result.raw_output


def test_drafts_differ_and_repeat(model: Model) -> None:
    drafts = [
        model.answer([1, 20, 30], None, max_new_tokens=12, end_id=-1, draft=d) for d in (1, 2, 1)
    ]
    assert drafts[0] == drafts[2]
    assert drafts[0] != drafts[1]


def test_a_random_model_falls_back(model: Model) -> None:
    prompt = parse("a red ball")
    result = TinyEnhancer(model).enhance(prompt, {})
    assert result.prompt == prompt
    assert result.fallback_reason
    assert result.raw_output or read_prompt(prompt, {}, TinyEnhancer(model).tokenizer)
