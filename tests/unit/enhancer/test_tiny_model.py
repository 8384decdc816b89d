"""The tiny enhancer's network, on a random model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from omnireel.enhancer import EnhancerSpec, open_enhancer
from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.enhancer.tiny.modeling import PATCHES, tiny_config
from omnireel.enhancer.tiny.modeling import TinyEnhancer as Model
from omnireel.enhancer.tiny.writing import write
from omnireel.errors import IntegrityError, InvalidInput
from omnireel.registry import save_component
from omnireel.train.objectives.cross_entropy import IGNORED, CrossEntropy
from omnireel.train.warm_start import warm_start


def test_patches_take_the_places_of_image_tokens(model: Model) -> None:
    image = model.config.image_token_id
    ids = torch.tensor([[1, *[image] * PATCHES, 7], [1, 7, *[image] * PATCHES]])
    pixels = torch.rand(2, 3, 64, 64)
    embedded = model.embed(ids, pixels)
    patches = model.vision(pixels)
    torch.testing.assert_close(embedded[0, 1 : 1 + PATCHES], patches[0])
    torch.testing.assert_close(embedded[1, 2 : 2 + PATCHES], patches[1])


def test_cached_generation_equals_a_full_forward_pass(model: Model) -> None:
    ids = [1, 20, 30, 40, 50]
    (written,) = write(model, [ids], None, max_new_tokens=6, end_id=-1)
    for i, (token, sure) in enumerate(zip(written.ids, written.sure, strict=True)):
        hidden = model(torch.tensor([[*ids, *written.ids[:i]]]))
        probabilities = model.logits(hidden[0, -1]).softmax(-1).detach()
        assert int(probabilities.argmax()) == token
        assert float(probabilities[token]) == pytest.approx(sure, abs=1e-5)
    assert len(written.ids) == 6 and not written.ended


def test_prefixes_of_different_lengths_are_continued_as_if_alone(model: Model) -> None:
    image = model.config.image_token_id
    prefixes = [[1, *[image] * PATCHES, 7, 20], [1, 30, 40], [1, 20, 30, 40, 50]]
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    together = write(model, prefixes, pixels, max_new_tokens=6, end_id=-1)
    for prefix, written in zip(prefixes, together, strict=True):
        own = pixels if image in prefix else None
        (alone,) = write(model, [prefix], own, max_new_tokens=6, end_id=-1)
        assert written.ids == alone.ids
        assert written.sure == pytest.approx(alone.sure, abs=1e-5)


def test_a_picture_is_never_written(model: Model) -> None:
    image = model.config.image_token_id
    offered: list[torch.Tensor] = []

    def remembered(probabilities_BV: torch.Tensor) -> torch.Tensor:
        offered.append(probabilities_BV)
        return probabilities_BV.argmax(-1)

    write(model, [[1, 20, 30]], None, max_new_tokens=3, end_id=-1, rule=remembered)
    assert len(offered) == 3
    for probabilities in offered:
        assert float(probabilities[0, image]) == 0
        assert bool((probabilities[0, :image] > 0).all())


def test_a_continuation_stops_at_its_end(model: Model) -> None:
    (whole,) = write(model, [[1, 20, 30]], None, max_new_tokens=6, end_id=-1)
    end = whole.ids[3]
    first = whole.ids.index(end)
    (cut,) = write(model, [[1, 20, 30]], None, max_new_tokens=6, end_id=end)
    assert cut.ids == whole.ids[:first] and cut.ended


def test_the_loss_reads_answer_tokens_only(model: Model) -> None:
    class Batch:
        ids_BN = torch.tensor([[1, 20, 30, 40], [1, 21, 31, 0]])
        labels_BN = torch.tensor([[IGNORED, IGNORED, 30, 40], [IGNORED, IGNORED, 31, IGNORED]])
        pixels_ICHW = torch.zeros(0, 3, 64, 64)

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
    ids = [[1, 20, 30]]
    assert write(enhancer.model, ids, None, max_new_tokens=4, end_id=-1) == write(
        model, ids, None, max_new_tokens=4, end_id=-1
    )
    again = Model.from_pretrained(folder)
    torch.testing.assert_close(again.state_dict(), model.state_dict())
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(IntegrityError):
        open_enhancer(EnhancerSpec(path=str(folder)))


def test_larger_pictures_are_seen_as_the_smaller_ones_were(tmp_path: Path) -> None:
    def sized(side: int) -> Model:
        return Model(tiny_config(["red", "ball"], [], width=32, layers=1, image_side=side))

    torch.manual_seed(0)
    coarse = sized(32)
    folder = save_component(
        tmp_path / "coarse", kind="enhancer", config={}, state_dict=coarse.state_dict(),
        card={}, dtype=None,
    )  # fmt: skip
    fine = sized(64)
    assert warm_start(fine, folder, ("enhancer",)) == "enhancer"
    large = torch.rand(2, 3, 64, 64) * 2 - 1
    small = torch.nn.functional.interpolate(large, size=(32, 32), mode="area")
    torch.testing.assert_close(fine.vision(large), coarse.vision(small), atol=1e-4, rtol=1e-4)


def test_a_side_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="multiple of 32"):
        tiny_config(["red"], [], width=32, layers=1, image_side=48)
