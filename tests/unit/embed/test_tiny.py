"""The tiny embedder's network and its back-end, with small random weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from omnireel.embed import open_embedder
from omnireel.embed.network import EmbedderConfig, MatchingNetwork
from omnireel.embed.sight import change, look, mirrored
from omnireel.embed.tiny import TinyEmbedder
from omnireel.embed.words import in_mirror
from omnireel.errors import FailedPrecondition, IntegrityError, InvalidInput, NotFound
from omnireel.model.text import Tokenizer
from omnireel.registry import save_component
from omnireel.train.warm_start import warm_start
from omnireel.types import VideoFormat
from omnireel.world.lexicon import vocabulary
from omnireel.world.render import render_clip
from omnireel.world.sampler import sample_scene

CONFIG = EmbedderConfig(vocabulary(), width=32, heads=2, embed_dim=8, subject_dim=8)
CLIP = render_clip(sample_scene(np.random.default_rng(3)), VideoFormat(64, 64, 17, 8.0))


def network() -> MatchingNetwork:
    torch.manual_seed(0)
    return MatchingNetwork(CONFIG, len(Tokenizer(CONFIG.words)))


def embedder() -> TinyEmbedder:
    return TinyEmbedder(network(), Tokenizer(CONFIG.words, CONFIG.max_tokens))


def test_a_text_agrees_as_well_alone_as_beside_longer_ones() -> None:
    one = embedder()
    texts = ["a red ball", "a blue cube jumps up and down in the city, in the fog"]
    both = one.agreement(CLIP, texts)
    assert both[0] == pytest.approx(one.agreement(CLIP, texts[:1])[0], abs=1e-6)
    assert not np.isclose(both[0], both[1])
    vectors = one.embed_texts(texts)
    assert np.allclose(vectors[0], one.embed_texts(texts[:1])[0], atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_clips_of_any_format_become_unit_vectors_one_by_one_or_together() -> None:
    one = embedder()
    wide = np.ascontiguousarray(CLIP[:, 8:56])
    alone = [one.embed_clips([clip])[0] for clip in (CLIP, wide, CLIP[:1])]
    together = one.embed_clips([CLIP, wide, CLIP[:1]])
    assert np.allclose(alone, together, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert one.embed_subjects([CLIP]).shape == (1, CONFIG.subject_dim)


def test_what_did_not_change_is_seen_as_unchanged() -> None:
    sight = look(CLIP)
    assert not change(sight, look(CLIP)).any()
    dark = look((CLIP // 2).astype(np.uint8))
    assert (change(sight, dark)[:3] > 0.2).all()
    one = CLIP.copy()
    one[:, :8, :8] = 255 - one[:, :8, :8]  # a corner, away from the subject
    found = change(sight, look(one))
    assert 0 < found[0] < 0.1
    assert found[3] < 0.05


def test_a_pan_goes_the_other_way_in_a_mirror() -> None:
    scene = sample_scene(np.random.default_rng(3))
    camera = replace(scene.camera, move="pan_left", amount=1.0)
    panned = render_clip(replace(scene, camera=camera), VideoFormat(64, 64, 17, 8.0))
    one = embedder()
    assert one.movement(panned, panned).camera > 0.8
    assert one.movement(panned, mirrored(panned)).camera < 0.2
    # Both views count the same, so it does not matter which of them is given.
    there = mirrored(CLIP)
    assert one.movement(panned, CLIP).camera == pytest.approx(
        one.movement(mirrored(panned), there).camera, abs=1e-5
    )


def test_a_mirror_is_as_good_a_witness_when_sides_are_exchanged() -> None:
    assert in_mirror("a cat on the left walks right") == "a cat on the right walks left"
    one, dark = embedder(), (CLIP // 2).astype(np.uint8)
    text, turned = "add a red ball on the left", "add a red ball on the right"
    seen = one.edit(CLIP, dark, text)
    other = one.edit(mirrored(CLIP), mirrored(dark), turned)
    assert (seen.done, seen.kept) == pytest.approx((other.done, other.kept), abs=1e-5)
    there = one.agreement(mirrored(CLIP), [turned])
    assert one.agreement(CLIP, [text]) == pytest.approx(there, abs=1e-5)


def test_an_edit_needs_two_clips_of_one_shape() -> None:
    one = embedder()
    found = one.edit(CLIP, CLIP[:, ::-1].copy(), "make the ball green")
    assert 0 < found.done < 1
    assert found.kept is not None
    with pytest.raises(InvalidInput, match="differ in frames or size"):
        one.edit(CLIP[:5], CLIP, "make the ball green")


def test_a_component_opens_with_what_it_was_saved_with(tmp_path: Path) -> None:
    net = network()
    save_component(
        tmp_path / "e", kind="embedder", config=asdict(CONFIG), state_dict=net.state_dict(), card={}
    )
    opened = open_embedder(tmp_path / "e")
    assert opened.name.startswith("tiny-")
    assert np.allclose(opened.embed_clips([CLIP]), embedder().embed_clips([CLIP]), atol=0.05)
    with pytest.raises(NotFound, match="no embedder in"):
        open_embedder(tmp_path)


def test_weights_of_an_earlier_network_are_named_and_can_be_trained_on(tmp_path: Path) -> None:
    net = network()
    state = {
        n: t
        for n, t in net.state_dict().items()
        if not n.startswith(("focus.", "stayed.", "lookup."))
    }
    save_component(tmp_path, kind="embedder", config=asdict(CONFIG), state_dict=state, card={})
    with pytest.raises(FailedPrecondition, match="train it further: omnireel train embedder-tiny"):
        open_embedder(tmp_path)
    torch.manual_seed(1)
    other = MatchingNetwork(CONFIG, len(Tokenizer(CONFIG.words)))
    assert warm_start(other, tmp_path, ("embedder",)) == "embedder"
    assert torch.allclose(other.table.weight, net.table.weight, atol=0.05)


def test_a_configuration_that_fits_no_network_is_told(tmp_path: Path) -> None:
    config = {**asdict(CONFIG), "layers_of_tomorrow": 4}
    save_component(
        tmp_path, kind="embedder", config=config, state_dict=network().state_dict(), card={}
    )
    with pytest.raises(IntegrityError, match="does not fit this release"):
        TinyEmbedder.load(tmp_path)
