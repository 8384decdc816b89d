from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.model.positions import RotaryConfig
from omnireel.model.sequence import PackedSequence, Segment, pack, patchify
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer, TransformerConfig
from omnireel.model.vae import VideoVAE
from omnireel.mvl import parse
from omnireel.mvl.prompt import Input
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.autoencoding import (
    Autoencoding,
    AutoencodingConfig,
    HeldOutClips,
    charbonnier,
    edge_error,
    psnr,
)
from omnireel.train.objectives.flow_batch import changed_tokens
from omnireel.train.objectives.flow_matching import FlowMatching, FlowMatchingConfig
from omnireel.types import MediaKind, Role
from tests.support.small_models import SMALL_VAE

WORDS = ("a", "red", "ball", "move")


def _record(seed: int, size: int = 4) -> LatentRecord:
    rng = torch.Generator().manual_seed(seed)
    inputs = [Input("V", MediaKind.VIDEO, Role.SOURCE), Input("I", MediaKind.IMAGE, Role.REFERENCE)]
    prompt = parse("a red ball @V @I", inputs, [])
    return LatentRecord(
        capability=f"C{seed}",
        seed=seed,
        prompt=prompt,
        vague_prompt=parse("ball @V @I", inputs, []),
        target_CTHW=torch.randn(8, 2, size, size, generator=rng),
        segments=(
            Segment(torch.randn(8, 2, 4, 4, generator=rng), Role.SOURCE, 1),
            Segment(torch.randn(8, 1, 4, 4, generator=rng), Role.REFERENCE, 2),
        ),
    )


class Oracle(OmniTransformer):
    """Knows x0, so it can answer the exact velocity; remembers what it was given."""

    def __init__(self, tokenizer: Tokenizer, answers: list[Tensor]) -> None:
        super().__init__(
            TransformerConfig(
                width=32,
                depth=1,
                heads=1,
                latent_channels=8,
                vocabulary=WORDS,
                vocabulary_size=len(tokenizer),
                rotary=RotaryConfig(head_width=32, time_pairs=4),
            )
        )
        self.answers = answers
        self.packs: list[PackedSequence] = []
        self.times: list[Tensor] = []
        self.exact = True

    def forward(self, noisy_NP: Tensor, timesteps_B: Tensor, packed: PackedSequence) -> Tensor:
        self.packs.append(packed)
        self.times.append(timesteps_B)
        if not self.exact:
            return super().forward(noisy_NP, timesteps_B, packed)
        clean_NP = torch.cat([patchify(x) for x in self.answers])
        t_N1 = timesteps_B[packed.sample_of_target][:, None]
        return (noisy_NP - clean_NP) / t_N1


def _objective(records: list[LatentRecord], **changes: float) -> tuple[FlowMatching, Oracle]:
    tokenizer = Tokenizer(WORDS)
    model = Oracle(tokenizer, [r.target_CTHW for r in records])
    config = FlowMatchingConfig(**changes)
    return FlowMatching(model, tokenizer, config, pack, held_out=records), model


def test_exact_velocity_has_no_loss_and_zero_model_has_the_known_one() -> None:
    records = [_record(i) for i in range(4)]
    objective, model = _objective(records)
    rng = torch.Generator().manual_seed(0)
    assert objective.loss(records, rng).loss.item() < 1e-6
    model.exact = False
    report = objective.loss(records, rng)
    assert 0.5 < report.loss.item() < 500 and report.num_samples == 4


def test_targets_of_different_shapes_share_a_batch() -> None:
    records = [_record(0), _record(1, size=6), _record(2, size=2)]
    objective, model = _objective(records)
    rng = torch.Generator().manual_seed(0)
    assert objective.loss(records, rng).loss.item() < 1e-6
    model.exact = False
    lengths = [len(patchify(r.target_CTHW)) for r in records]
    assert lengths == [8, 18, 2]
    objective.loss(records, rng)
    assert model.packs[-1].target_lengths == tuple(lengths)


def test_below_the_chosen_time_the_error_of_the_clean_latents_counts() -> None:
    records = [_record(0)]
    (velocity, model), (clean, other) = (
        _objective(records, even_below=level, uniform_share=1.0) for level in (0.0, 0.5)
    )
    other.load_state_dict(model.state_dict())
    model.exact = other.exact = False
    for seed in range(20):
        plain, weighted = (
            o.loss(records, torch.Generator().manual_seed(seed)).loss.item()
            for o in (velocity, clean)
        )
        time = model.times[-1].item()
        assert weighted == pytest.approx(plain * min(1.0, time / 0.5) ** 2, rel=1e-4)
    assert any(t.item() < 0.25 for t in model.times)


def test_tokens_that_an_edit_changes_count_more() -> None:
    record = _record(0)
    source, reference = record.segments
    target_CTHW = source.latents_CTHW.clone()
    target_CTHW[:, 1, 2:, 2:] += 1.0  # the last token
    edit = replace(record, target_CTHW=target_CTHW)
    changed_N = changed_tokens(edit)
    assert changed_N.tolist() == pytest.approx([0.0] * 7 + [1 / 1.1])
    assert not changed_tokens(replace(edit, segments=(reference,))).any()

    kept = {"drop_text": 0.0, "drop_image": 0.0, "drop_video": 0.0, "noisy_condition_share": 0.0}
    (plain, model), (focused, other) = (
        _objective([edit], changed_focus=focus, even_below=1.0, **kept) for focus in (0.0, 2.0)
    )
    losses = []
    for objective, oracle in ((plain, model), (focused, other)):
        oracle.exact = False
        torch.nn.init.zeros_(oracle.out.weight)  # the prediction is the source itself
        torch.nn.init.zeros_(oracle.out.bias)
        losses.append(objective.loss([edit], torch.Generator().manual_seed(3)).loss.item())
    assert losses[0] > 0.01
    assert losses[1] == pytest.approx(losses[0] * (1 + 2 / 1.1), rel=1e-3)


def test_loss_reaches_all_conditions_and_is_repeatable() -> None:
    records = [_record(i) for i in range(2)]
    objective, model = _objective(records, drop_text=0.0, drop_image=0.0, drop_video=0.0)
    model.exact = False
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    losses = []
    for _ in range(2):
        model.zero_grad()
        loss = objective.loss(records, torch.Generator().manual_seed(5)).loss
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == losses[1]
    for weight in (model.text_embedding.weight, model.condition_in.weight, model.aligned_in.weight):
        assert weight.grad is not None and float(weight.grad.abs().sum()) > 0


def test_conditions_are_dropped_at_their_own_rates() -> None:
    records = [_record(0)]
    objective, model = _objective(records, drop_text=0.5, drop_image=0.2, drop_video=0.0)
    rng = torch.Generator().manual_seed(0)
    for _ in range(200):
        objective.loss(records, rng)
    full_text = sum(p.text_ids.numel() > 1 for p in model.packs)
    roles = [set(p.roles.tolist()) for p in model.packs]
    order = list(Role)
    images = sum(order.index(Role.REFERENCE) in r for r in roles)
    assert 75 < full_text < 125 and 140 < images < 180
    assert all(order.index(Role.SOURCE) in r for r in roles)


def test_times_follow_the_shift_and_the_uniform_share() -> None:
    rng = torch.Generator().manual_seed(0)
    shifted, _ = _objective([_record(0)], shift=3.0, uniform_share=0.0)
    times = shifted.preparation.draw_times([_record(0)] * 4000, rng)
    # The median of a logit-normal is 1/2, shifted by 3: 3 * 0.5 / (1 + 2 * 0.5).
    assert times.median().item() == pytest.approx(0.75, abs=0.02)
    uniform, _ = _objective([_record(0)], uniform_share=1.0)
    times = uniform.preparation.draw_times([_record(0)] * 4000, rng)
    assert times.mean().item() == pytest.approx(0.5, abs=0.02)
    assert times.std().item() == pytest.approx(12**-0.5, abs=0.02)


def test_validation_is_per_capability_and_repeatable() -> None:
    records = [_record(i) for i in range(3)]
    objective, model = _objective(records)
    model.exact = False
    with torch.no_grad():
        one, two = objective.validate(), objective.validate()
    assert one.metrics == two.metrics
    assert {"loss", "loss_C0", "loss_C1", "loss_C2"} == one.metrics.keys()


def test_flow_matching_settings_are_checked() -> None:
    with pytest.raises(InvalidInput, match="drop_text"):
        FlowMatchingConfig(drop_text=1.5)


def test_edges_see_blur_that_the_mean_does_not_and_ignore_an_offset() -> None:
    stripes = torch.zeros(1, 3, 1, 16, 16)
    stripes[..., ::2] = 1.0
    flat = torch.full_like(stripes, 0.5)
    assert edge_error(stripes + 0.3, stripes, 2).item() == pytest.approx(0.0, abs=1e-6)
    assert edge_error(flat, stripes, 1).item() > 0.5
    assert charbonnier(torch.zeros(3)).item() == 0.0


def test_psnr_of_a_known_error() -> None:
    assert psnr(4.0) == pytest.approx(0.0) and psnr(0.04) == pytest.approx(20.0)


def test_autoencoder_learns_and_reports_on_bodies() -> None:
    rng = np.random.default_rng(0)
    frames = np.repeat(rng.integers(0, 255, (2, 5, 2, 2, 3), np.uint8), 8, axis=2).repeat(8, axis=3)
    mask = np.zeros(frames.shape[:4], bool)
    mask[0, :, :4, :4] = True
    torch.manual_seed(0)
    vae = VideoVAE(SMALL_VAE)
    config = AutoencodingConfig()
    objective = Autoencoding(vae, config, (HeldOutClips(frames, mask),))
    optimizer = torch.optim.Adam(vae.parameters(), lr=3e-3)
    losses = []
    for step in range(30):
        report = objective.loss(frames, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        report.loss.backward()
        optimizer.step()
        losses.append(report.loss.item())
    assert losses[-1] < 0.8 * losses[0]
    with torch.no_grad():
        validation = objective.validate()
    assert validation.metrics.keys() == {"psnr", "psnr_bodies", "psnr_image"}
    shown, other = validation.comparisons
    assert shown.caption != other.caption
    assert {n: f.shape for n, f in shown.columns.items()} == {
        "truth": (5, 16, 16, 3), "this run": (5, 16, 16, 3)
    }  # fmt: skip
