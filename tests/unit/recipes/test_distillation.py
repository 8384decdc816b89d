"""What the networks of a distillation start as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from omnireel.recipes.base import Workplace
from omnireel.recipes.distillation_tiny import debug_distribution
from omnireel.recipes.latents import LatentFolders
from omnireel.recipes.post_training import load_network
from omnireel.train.latent_cache import LatentCacheConfig
from omnireel.train.latent_record import LatentRecord
from omnireel.train.objectives.distribution_matching import DistributionMatching
from tests.support.tiny_weights import save_tiny_weights


class NoData(LatentFolders):
    """Held-out records are of no interest here."""

    def held_out_records(
        self, pinned: Mapping[str, str], data: LatentCacheConfig, count: int
    ) -> list[LatentRecord]:
        return []


def test_the_fake_network_starts_as_the_teacher_also_after_a_first_stage(tmp_path: Path) -> None:
    weights = save_tiny_weights(tmp_path)
    recipe = replace(
        debug_distribution(),
        vae=weights / "vae",
        teacher=weights / "generator",
        folders=NoData(),
        previews=0,
    )
    student = load_network(recipe.teacher, recipe.trainer)
    with torch.no_grad():
        student.out.bias.add_(1.0)  # what a first stage did to it
    place = Workplace(tmp_path, lambda what, done, total: None)
    objective = recipe._objective(student, place, {})
    assert isinstance(objective, DistributionMatching)
    teacher = objective.teacher.state_dict()
    fake = objective.fake.state_dict()
    assert all(torch.equal(tensor, teacher[name]) for name, tensor in fake.items())
    assert all(p.requires_grad for p in objective.fake.parameters()) and objective.fake.training
    assert not any(p.requires_grad for p in objective.teacher.parameters())
    assert objective.fake.out.weight.data_ptr() != objective.teacher.out.weight.data_ptr()
    assert not torch.equal(objective.model.out.bias, objective.fake.out.bias)
