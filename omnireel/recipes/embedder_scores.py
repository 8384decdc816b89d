"""How well an embedder tells true from untrue on held-out scenes; 1 is perfect, 0.5 a guess."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from omnireel.data.crossmodal.altered import altered, tellable
from omnireel.data.crossmodal.meddled import erased, half_erased, meddled
from omnireel.data.crossmodal.references import references
from omnireel.data.crossmodal.wording import misworded_edit
from omnireel.embed.focus import focus
from omnireel.embed.named import named
from omnireel.embed.network import FOLLOWED, KEPT, MatchingNetwork
from omnireel.embed.sight import Sight, change, look
from omnireel.embed.words import token_ids
from omnireel.model.text import Tokenizer
from omnireel.recipes.embedder_data import EDITS, FORMAT
from omnireel.world.captions import LEVELS, caption
from omnireel.world.render import render_clip, render_image
from omnireel.world.sampler import sample_scene
from omnireel.world.tasks.catalog import draw_plan

_SEED = 0x5C0BE


def auc(right: npt.ArrayLike, wrong: npt.ArrayLike) -> float:
    """Chance that a right sample scores higher than a wrong one (ties count half)."""
    a, b = np.asarray(right, float)[:, None], np.asarray(wrong, float)[None]
    return float(((a > b) + 0.5 * (a == b)).mean())


@torch.no_grad()
def held_out_scores(
    network: MatchingNetwork, tokenizer: Tokenizer, count: int, first: int = 0
) -> dict[str, float]:
    """Areas under the ROC curve for captions with one wrong fact, references and edits, and how
    often the right caption is the first of all."""
    captions, clips, texts = [], [], []
    refs: tuple[list[float], list[float]] = ([], [])
    for i in range(first, first + count):
        rng = np.random.default_rng([_SEED, i])
        scene = sample_scene(rng, split="held_out", duration_s=FORMAT.duration_s)
        sight = look(render_clip(scene, FORMAT))
        tokens = _tokens(network, sight)
        level = LEVELS[i % len(LEVELS)]
        facts = tellable(scene, level)
        wrong = altered(scene, facts[int(rng.integers(len(facts)))], rng)
        two = [caption(s, level, rng) for s in (scene, wrong)]
        words, there = network.hear(token_ids(two, tokenizer)[None])
        seen = torch.from_numpy(sight.subjects_KF)[None]
        facts = network.lookup(named(two)[None], seen)
        captions.append((network.match(words, there, tokens)[..., FOLLOWED] + facts)[0].tolist())
        full = token_ids([caption(scene, "full", rng)], tokenizer)[None]
        texts.append(network.embed_texts(*network.hear(full))[0, 0])
        clips.append(network.embed_clips(tokens)[0])
        right, other, time_s = references(scene, rng, "held_out")
        here = network.who(seen)
        for picture, scores in ((right, refs[0]), (other, refs[1])):
            given = look(render_image(picture, FORMAT.width, FORMAT.height, time_s))
            wanted = network.who(torch.from_numpy(given.subjects_KF[:1]))
            scores.append(float(network.appears(wanted, here)))
    near = torch.stack(clips) @ torch.stack(texts).T
    found = (near.argmax(1) == torch.arange(count)).float().mean()
    return {
        "caption_auc": auc(*np.array(captions).T),
        "caption_retrieval": float(found),
        "reference_auc": auc(*refs),
        **_edit_scores(network, tokenizer, max(2, count // 2), first),
    }


def _edit_scores(
    network: MatchingNetwork, tokenizer: Tokenizer, count: int, first: int
) -> dict[str, float]:
    done: tuple[list[float], list[float]] = ([], [])
    kept: tuple[list[float], list[float]] = ([], [])
    for i in range(first, first + count):
        rng = np.random.default_rng([_SEED, 1, i])
        plan = draw_plan(EDITS[i % len(EDITS)], i, FORMAT.duration_s, "held_out")
        assert plan.source_scene is not None
        source = look(render_clip(plan.source_scene, FORMAT))
        before = _tokens(network, source)
        texts = [plan.text, misworded_edit(plan, rng)]
        words, there = network.hear(token_ids(texts, tokenizer)[None])
        names = named(texts)[None]
        spoilt = meddled(plan.source_scene, plan.scene, rng)
        results = [render_clip(c, FORMAT) for c in (plan.scene, spoilt, plan.source_scene)]
        if erased(plan.source_scene, plan.scene):
            results.append(half_erased(plan.source_scene, plan.scene, FORMAT, rng))
        for n, frames in enumerate(results):
            result = look(frames)
            apart = [torch.from_numpy(part(source, result))[None] for part in (change, focus)]
            logits = network.match(words, there, _tokens(network, result), before, *apart)[0]
            scenes = [torch.from_numpy(sight.scene_F)[None] for sight in (source, result)]
            seen = [torch.from_numpy(sight.subjects_KF)[None] for sight in (result, source)]
            followed = (logits[:, FOLLOWED] + network.lookup(names, *seen, *apart)[0]).tolist()
            if n < 2:
                stayed = float(logits[0, KEPT] + network.stayed(*apart, scenes))
                kept[n].append(stayed)
            if n == 0:
                done[0].append(followed[0])
                done[1].append(followed[1])
            elif n >= 2:  # nothing was done, or half of it
                done[1].append(followed[0])
    return {"edit_done_auc": auc(*done), "edit_kept_auc": auc(*kept)}


def _tokens(network: MatchingNetwork, sight: Sight) -> torch.Tensor:
    numbers = (sight.subjects_KF, sight.scene_F)
    return network.see(*(torch.from_numpy(part)[None] for part in numbers))
