"""What objectives say of their work, against what torch counts while they do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from omnireel.embed.batch import EditSights, EmbedderBatch, References
from omnireel.embed.focus import FOCUS
from omnireel.embed.named import NAMED
from omnireel.embed.network import EmbedderConfig, MatchingNetwork
from omnireel.embed.sight import CHANGE, SCENE, SUBJECT, SUBJECTS
from omnireel.enhancer.tiny.modeling import PATCHES, TinyEnhancer, tiny_config
from omnireel.model.sequence import OmniSample, PackedSequence, Segment, pack
from omnireel.model.vae import VAEConfig, VideoVAE
from omnireel.sampling.guidance import NO_GUIDANCE, Guidance
from omnireel.train.callbacks import ValidationReport
from omnireel.train.counted import OperationCounter
from omnireel.train.objective import LossReport
from omnireel.train.objectives.autoencoding import Autoencoding, AutoencodingConfig
from omnireel.train.objectives.cross_entropy import IGNORED, CrossEntropy
from omnireel.train.objectives.distribution_matching import (
    DistributionMatching,
    DistributionMatchingConfig,
)
from omnireel.train.objectives.flow_dpo import FlowDPO, FlowDPOConfig
from omnireel.train.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from omnireel.train.objectives.matching import Matching, MatchingConfig
from omnireel.train.objectives.packed import frozen_copy
from omnireel.train.objectives.phase_grid import TrajectoryMatchingConfig
from omnireel.train.objectives.trajectory_distribution import FakePath
from omnireel.train.objectives.trajectory_matching import TrajectoryMatching
from omnireel.types import Role
from omnireel.upscale.windows import WindowConfig, pack_windows
from tests.support.tiny_models import latents, small_transformer
from tests.support.tiny_records import TOKENIZER, preference_pair, record

TOKENS = 3 * 2 * 2
"""Of one target."""
TRAJECTORY = TrajectoryMatchingConfig(
    fine_steps=12, phases=3, guidance=Guidance(text=3.0, image=1.5, video=1.5)
)


def _rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _counted(loss: Callable[[], LossReport]) -> tuple[LossReport, float]:
    """A report, and the operations of its forward and backward pass as torch counts them."""
    with sdpa_kernel(SDPBackend.MATH), OperationCounter() as counter:
        report = loss()
        report.loss.backward()  # type: ignore[no-untyped-call]
    return report, counter.total


def _check(loss: Callable[[], LossReport], targets: int) -> LossReport:
    report, counted = _counted(loss)
    assert report.work.target_tokens == targets * TOKENS
    assert report.work.flops > 0
    assert report.work.flops + report.work.padding_flops == counted
    return report


def test_flow_matching() -> None:
    objective = FlowMatching(small_transformer(), TOKENIZER, FlowMatchingConfig(), pack)
    _check(lambda: objective.loss([record(0), record(1)], _rng()), 2)


def test_preferences_have_a_reference_beside_the_trained_network() -> None:
    model = small_transformer()
    objective = FlowDPO(model, frozen_copy(model), TOKENIZER, FlowDPOConfig(), pack)
    pairs = [preference_pair(0), preference_pair(1)]
    report = _check(lambda: objective.loss(pairs, _rng()), 4)
    assert report.work.padding_flops > 0


def test_trajectory_matching_has_a_teacher_that_is_guided() -> None:
    model = small_transformer()
    teacher = frozen_copy(model)
    objective = TrajectoryMatching(model, teacher, TOKENIZER, TRAJECTORY, pack)
    _check(lambda: objective.loss([record(0), record(1)], _rng()), 2)


@pytest.mark.parametrize("path", ["trajectory", "renoised", "straight"])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_distribution_matching_has_three_networks(path: FakePath, weight: float) -> None:
    model = small_transformer()
    objective = DistributionMatching(
        model,
        frozen_copy(model).requires_grad_(True),
        frozen_copy(model),
        TOKENIZER,
        DistributionMatchingConfig(TRAJECTORY, trajectory_weight=weight, fake_path=path),
        pack,
    )
    _check(lambda: objective.loss([record(0), record(1)], _rng()), 2)


def test_targets_of_several_shapes_add_up() -> None:
    model = small_transformer()
    teacher = frozen_copy(model)
    objective = TrajectoryMatching(model, teacher, TOKENIZER, TRAJECTORY, pack)
    batch = [record(0), record(1), record(2, frames=1), record(4, frames=2)]
    _check(lambda: objective.loss(batch, _rng()), 3)


def test_windows_of_a_super_resolver() -> None:
    def packed(samples: Sequence[OmniSample]) -> PackedSequence:
        return pack_windows(samples, WindowConfig(frames=3, height=2, width=2))

    low = Segment(latents(3, 4, 4, 5), Role.LOW_RESOLUTION, 1)
    batch = [replace(record(seed), segments=(low,)) for seed in (0, 2)]
    model = small_transformer()
    config = replace(TRAJECTORY, guidance=NO_GUIDANCE)
    objective = TrajectoryMatching(model, frozen_copy(model), TOKENIZER, config, packed)
    _check(lambda: objective.loss(batch, _rng()), 2)


def test_what_is_repeated_is_counted_apart() -> None:
    model = small_transformer()
    model.blocks[1].recompute = frozenset({"attention", "mlp"})  # type: ignore[union-attr]
    objective = FlowDPO(model, frozen_copy(small_transformer()), TOKENIZER, FlowDPOConfig(), pack)
    report, counted = _counted(lambda: objective.loss([preference_pair(0)], _rng()))
    work = report.work
    assert work.repeated_flops > 0
    assert counted == pytest.approx(work.flops + work.padding_flops + work.repeated_flops, rel=0.02)


def test_the_autoencoder_is_counted_by_its_shapes() -> None:
    vae = VideoVAE(VAEConfig(latent_channels=8, stem_channels=8, encoder_channels=16,
                             encoder_blocks=1, decoder_channels=16, decoder_blocks=1,
                             pixel_channels=8, pixel_blocks=1))  # fmt: skip
    objective = Autoencoding(vae, AutoencodingConfig(), ())
    for frames in (1, 5, 1):
        clips = np.zeros((2, frames, 16, 24, 3), np.uint8)
        objective.loss(clips, _rng())  # torch would also see the first time's own count
        report, counted = _counted(lambda clips=clips: objective.loss(clips, _rng()))
        assert report.work.flops == counted > 0 and report.work.target_tokens == 0


@pytest.mark.parametrize("edits", [False, True])
def test_the_embedder_is_counted_by_its_shapes(edits: bool) -> None:
    network = MatchingNetwork(EmbedderConfig(("a", "red"), width=32, embed_dim=16), 4)
    objective = Matching(network, MatchingConfig(), lambda: ValidationReport({}))
    for clips, words in ((3, 5), (2, 7), (3, 5)):
        batch = _pairs(clips, words, edits)
        objective.loss(batch, _rng())  # torch would also see the first time's own count
        report, counted = _counted(lambda batch=batch: objective.loss(batch, _rng()))
        assert report.work.flops == counted > 0 and report.work.target_tokens == 0


def _pairs(clips: int, words: int, edits: bool) -> EmbedderBatch:
    subjects, scene = torch.ones(clips, SUBJECTS, SUBJECT), torch.ones(clips, sum(SCENE))
    ids = torch.ones(clips, 2, words, dtype=torch.long)
    named = torch.zeros(clips, 2, NAMED, dtype=torch.long)
    labels = torch.tensor([[1.0, 1.0], [0.0, -1.0]]).expand(clips, 2, 2)
    if edits:
        change = torch.ones(clips, CHANGE)
        edit = EditSights(subjects, scene, change, torch.ones(clips, FOCUS))
        return EmbedderBatch(subjects, scene, ids, named, labels, edit=edit)
    keys = torch.arange(2 * clips).reshape(clips, 2)
    references = References(subjects, keys, keys)
    return EmbedderBatch(subjects, scene, ids, named, labels, references=references)


def test_the_enhancer_knows_its_operations() -> None:
    model = TinyEnhancer(tiny_config(["a", "red"], [], width=64, layers=2))
    ids = torch.full((2, 40), 7)
    ids[:, 2 : 2 + PATCHES] = model.config.image_token_id
    labels = ids.masked_fill(torch.arange(40) < 30, IGNORED)
    batch = TokensAndPictures(ids, labels, torch.zeros(2, 3, 64, 64))
    objective = CrossEntropy(model, evaluate=lambda: ValidationReport({}))
    report, counted = _counted(lambda: objective.loss(batch, _rng()))
    assert report.work.target_tokens == 2 * 10
    # Torch also counts the angles of positions; pixels have no gradient.
    first: torch.nn.Conv2d = model.vision.convs[0]
    of_pixels = 2 * 2 * (64 // 4) ** 2 * first.weight.numel()
    assert report.work.flops == pytest.approx(counted + of_pixels, rel=1e-3)


@dataclass(frozen=True, eq=False)
class TokensAndPictures:
    ids_BN: torch.Tensor
    labels_BN: torch.Tensor
    pixels_ICHW: torch.Tensor
