"""The enhancer's second stage: rollouts of the policy, and the recipe from start to component."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from omnireel.enhancer.spec import SHIPPED_ENHANCER
from omnireel.enhancer.tiny.backend import TinyEnhancer
from omnireel.errors import InvalidInput
from omnireel.recipes.climb import ClimbConfig, climb
from omnireel.recipes.config import override
from omnireel.recipes.enhancer_policy import debug_enhancer_policy
from omnireel.recipes.enhancer_rewards import Judge
from omnireel.recipes.enhancer_rollouts import JudgedWriter, PolicyPrompts, PromptsConfig
from omnireel.recipes.export import export_run
from omnireel.recipes.ladder import Ladder, build_ladder
from omnireel.recipes.run import RunRequest, run_recipe
from omnireel.registry import load_component


def _quiet(what: str, done: int, total: int) -> None:
    return None


def test_a_rollout_marks_what_the_policy_chose() -> None:
    enhancer = TinyEnhancer.load(SHIPPED_ENHANCER)
    tokenizer = enhancer.tokenizer
    config = PromptsConfig(mix={"C18": 1.0}, batch_size=2, updates=2)
    data = PolicyPrompts(config, 2, tokenizer, enhancer.lexicon, enhancer.model.config.image_side)
    batch = data.batch(3)
    assert batch.rollout == 1
    assert [p.prefix for p in data.batch(2).prompts] == [p.prefix for p in batch.prompts]
    assert data.batch(4).prompts[0].prefix != batch.prompts[0].prefix
    assert len(batch.pixels_ICHW) == 4  # one picture a prompt, two answers each
    for prompt in batch.prompts:
        assert prompt.thought.startswith(prompt.case.sees) and prompt.case.sees.startswith("sees")
    writer = JudgedWriter(enhancer.model, tokenizer, Judge(enhancer.lexicon, lambda text: 1.0))
    rollout = writer(batch, 2, torch.Generator().manual_seed(0))
    same = writer(batch, 2, torch.Generator().manual_seed(0))
    assert torch.equal(rollout.ids_BN, same.ids_BN)
    for row, chosen in enumerate(rollout.chosen_BN):
        prefix = batch.prompts[row // 2].prefix
        assert rollout.ids_BN[row, : len(prefix)].tolist() == list(prefix)
        assert not chosen[: len(prefix)].any()
        answer = tokenizer.convert_ids_to_tokens(rollout.ids_BN[row][chosen].tolist())
        assert answer[0] == '{"subjects":["' and answer[-1] == "<end>"
    assert float(rollout.rewards_B.min()) > 0.2  # the shipped model's answers are of some use
    assert set(rollout.terms) == {"facts", "richness", "plausibility", "closeness", "form"}


def test_the_recipe_runs_to_a_component(tmp_path: Path) -> None:
    overrides = (f"reference={SHIPPED_ENHANCER}", "trainer.num_steps=2", "held_out=1", "scored=1")
    run = tmp_path / "run"
    request = RunRequest("enhancer-rl-debug", run, tmp_path / "cache", overrides=overrides)
    assert run_recipe(request, (), _quiet).step == 2
    folder = export_run(run, tmp_path / "out", cache=tmp_path / "cache", report=_quiet)
    made, before = load_component(folder, kind="enhancer"), load_component(SHIPPED_ENHANCER)
    assert made.config == before.config
    assert made.card["earlier"][-1]["recipe"] == before.card["recipe"]
    assert made.card["limits"] == before.card["limits"]
    assert {seed.split()[0] for seed in made.card["seeds"].split(", ")} >= {"trainer.seed"}
    assert f"- Seeds: {made.card['seeds']}" in (folder / "README.md").read_text()
    assert any(not torch.equal(made.state_dict[n], t) for n, t in before.state_dict.items())


def test_it_starts_from_its_reference_only(tmp_path: Path) -> None:
    request = RunRequest(
        "enhancer-rl-debug", tmp_path / "run", tmp_path, init_from=SHIPPED_ENHANCER,
        overrides=(f"reference={SHIPPED_ENHANCER}",),
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="reference"):
        run_recipe(request, (), _quiet)


def test_the_settings_are_checked() -> None:
    for wrong in ("prompts.batch_size=0", "prompts.updates=0", "rewards.facts=-1"):
        with pytest.raises(InvalidInput):
            override(debug_enhancer_policy(), (wrong,))


def test_the_ladder_tunes_the_enhancer_that_it_made(tmp_path: Path) -> None:
    rungs = {rung.name: rung for rung in build_ladder("tiny").rungs}
    supervised, policy = rungs["enhancer"], rungs["enhancer-rl"]
    assert (policy.start, policy.part) == ("enhancer", "enhancer")
    short = ("trainer.num_steps=1", "scored=1")
    supervised = replace(supervised, smoke_overrides=(*short, "data.held_out=1"))
    policy = replace(policy, smoke_overrides=(*short, "held_out=1"))
    config = ClimbConfig(tmp_path / "out", tmp_path / "cache", smoke=True)
    first, second = climb(Ladder("test", (supervised, policy)), config, lambda run: (), _quiet)
    assert second.stands_on == {"reference": first.component}
    assert second.parts == {"enhancer": second.component}
    made, before = (load_component(r.component, kind="enhancer") for r in (second, first))
    assert made.card["recipe"] == "enhancer-rl-debug"
    assert [stage["recipe"] for stage in made.card["earlier"]] == ["enhancer-debug"]
    assert made.config == before.config


def test_weights_that_are_gathered_for_each_token_are_refused() -> None:
    override(debug_enhancer_policy(), ("trainer.parallel.zero=2",))
    with pytest.raises(InvalidInput, match=r"ZeRO-3 gathers weights for each token.*zero=2"):
        override(debug_enhancer_policy(), ("trainer.parallel.zero=3",))
