"""Begin from the weights of an earlier component."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from omnireel.errors import InvalidInput
from omnireel.generate.components import own_weights
from omnireel.model.sequence import PATCH
from omnireel.model.text import Tokenizer
from omnireel.model.transformer import OmniTransformer
from omnireel.registry import load_component

_FIRST_HIDDEN = "blocks.0.mlp_in.weight"
_LATER = ("base_gate.", "focus.", "stayed.", "lookup.")
"""Parts that components of earlier networks lack."""
_WORDS = "text_embedding.weight"
_SIGHT = "vision.convs.0.weight"
_BLOCK = re.compile(r"blocks\.(\d+)\.")
_ENTRIES = ("condition_in.weight", "target_in.weight", "aligned_in.weight")
_EXITS = ("out.weight", "out.bias", "base_gate.weight", "base_gate.bias")


def warm_start(module: nn.Module, folder: Path, kinds: tuple[str, ...]) -> str:
    """Copy a component's weights into ``module`` and say which kind it was.

    Blocks and MLPs may be fewer and narrower than the component's, tokens of another size, words
    other ones, and pictures larger (:func:`thin_blocks`, :func:`thin_mlps`, :func:`resize_tokens`,
    :func:`match_words`, :func:`refine_sight`). What the component lacks keeps its start: a gate,
    which then changes no answer, and the embedder's eyes for what an edit changed and for what
    words name, which have nothing to say yet.

    Raises:
        NotFound, IntegrityError: see :func:`omnireel.registry.load_component`.
        InvalidInput: another kind of component, or another architecture.

    """
    component = load_component(folder)
    if component.kind not in kinds:
        raise InvalidInput(
            f"--init-from: {folder} holds a {component.kind}, this recipe starts from "
            f"{' or '.join(kinds)}",
            field="init_from",
        )
    own = module.state_dict()
    given = thin_blocks(own_weights(component.state_dict), num_blocks(own))
    if isinstance(module, OmniTransformer):
        before = component.config.get("transformer", {}).get("patch", PATCH)
        given = resize_tokens(given, before, module.config.patch)
        words = component.config.get("transformer", {}).get("vocabulary", module.config.vocabulary)
        given = match_words(given, own[_WORDS], words, module.config.vocabulary)
    if _SIGHT in own and _SIGHT in given:
        given = refine_sight(given, own[_SIGHT].shape[-1])
    if _FIRST_HIDDEN in own:
        given = thin_mlps(given, own[_FIRST_HIDDEN].shape[0])
    given |= {name: own[name] for name in own if name.startswith(_LATER) and name not in given}
    wrong = sorted(own.keys() ^ given.keys()) or [
        f"{name} {tuple(given[name].shape)} -> {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if tensor.shape != given[name].shape
    ]
    if wrong:
        raise InvalidInput(
            f"--init-from: {folder} has another architecture ({', '.join(wrong[:3])}); set the "
            "recipe's model fields to the component's config.json",
            field="init_from",
        )
    module.load_state_dict(given)
    return component.kind


def resize_tokens(state: Mapping[str, Tensor], before: int, now: int) -> dict[str, Tensor]:
    """Entries and exits for tokens of ``now x now`` squares of a latent frame, not ``before``.

    Smaller: the squares of a token become tokens of their own. Entries take the mean of the
    weights of those that come together, times the square root of their number, so that tokens are
    as large as before; exits take the mean. Larger: each square takes the weights of the smaller
    token, entries divided by that root. Where neither size divides the other nothing is changed.
    """
    times, rest = divmod(max(before, now), min(before, now))
    if times == 1 or rest:
        return dict(state)
    resized = dict(state)
    for name in (*_ENTRIES, *_EXITS):
        if (tensor := state.get(name)) is None:
            continue
        axis, gain = (1, times) if name in _ENTRIES else (0, 1)
        # [channels, rows, columns] of a token's squares, wherever the weights have them.
        squares = (-1, before, before)
        each = tensor.reshape(*tensor.shape[:axis], *squares, *tensor.shape[axis + 1 :])
        rows, columns = axis + 1, axis + 2
        if now < before:
            split = (*each.shape[:rows], now, times, now, times, *each.shape[columns + 1 :])
            each = each.reshape(split).mean((rows + 1, rows + 3)) * gain
        else:
            each = each.repeat_interleave(times, rows).repeat_interleave(times, columns) / gain
        resized[name] = each.flatten(axis, columns)
    return resized


def match_words(
    state: Mapping[str, Tensor], start_VD: Tensor, before: Sequence[str], now: Sequence[str]
) -> dict[str, Tensor]:
    """The embeddings of another vocabulary: words of both keep theirs, new ones begin as the
    network does (``start_VD``). Where the vocabularies are equal nothing is changed."""
    if tuple(before) == tuple(now) or _WORDS not in state:
        return dict(state)
    had, has = Tokenizer(before).ids, Tokenizer(now).ids
    given_VD, embedding_VD = state[_WORDS], start_VD.clone()
    if given_VD.shape != (len(had), start_VD.shape[1]):
        return dict(state)
    for word in has.keys() & had.keys():
        embedding_VD[has[word]] = given_VD[had[word]]
    return {**state, _WORDS: embedding_VD}


def refine_sight(state: Mapping[str, Tensor], kernel: int) -> dict[str, Tensor]:
    """The prompt enhancer's first convolution for larger pictures: each pixel becomes a square of
    them with its weight shared out, so what is seen of the shrunk picture stays as it was. Where
    ``kernel`` is no multiple of the state's own nothing is changed."""
    times, rest = divmod(kernel, state[_SIGHT].shape[-1])
    if rest or times < 2:
        return dict(state)
    finer = state[_SIGHT].repeat_interleave(times, 2).repeat_interleave(times, 3) / times**2
    return {**state, _SIGHT: finer}


def num_blocks(state: Mapping[str, Tensor]) -> int:
    """How many transformer layers (``blocks.0.``, ``blocks.1.``, ..) a state holds."""
    return 1 + max((int(m[1]) for name in state if (m := _BLOCK.match(name))), default=-1)


def thin_blocks(state: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Keep ``depth`` evenly spaced layers, the first and the last included, and renumber them.

    A shallow network (the super-resolver) starts from a deep one (the generator) this way. A state
    that has no more than ``depth`` layers comes back as it is.
    """
    have = num_blocks(state)
    if have <= depth or depth < 1:
        return dict(state)
    chosen = [round(i * (have - 1) / max(1, depth - 1)) for i in range(depth)]
    place = {old: new for new, old in enumerate(chosen)}
    thinned: dict[str, Tensor] = {}
    for name, tensor in state.items():
        match = _BLOCK.match(name)
        if match is None:
            thinned[name] = tensor
        elif int(match[1]) in place:
            thinned[f"blocks.{place[int(match[1])]}.{name[match.end() :]}"] = tensor
    return thinned


def thin_mlps(state: Mapping[str, Tensor], hidden: int) -> dict[str, Tensor]:
    """Keep the ``hidden`` strongest units of every layer's MLP, in their order.

    A unit is as strong as the product of the norms of its incoming and outgoing weights. MLPs that
    are no wider come back as they are.
    """
    thinned = dict(state)
    for layer in range(num_blocks(state)):
        entry, exit_ = f"blocks.{layer}.mlp_in", f"blocks.{layer}.mlp_out.weight"
        into_HD, out_DH = state[f"{entry}.weight"], state[exit_]
        if into_HD.shape[0] <= hidden:
            continue
        strength_H = into_HD.float().norm(dim=1) * out_DH.float().norm(dim=0)
        kept = strength_H.topk(hidden).indices.sort().values
        thinned[f"{entry}.weight"] = into_HD[kept]
        thinned[f"{entry}.bias"] = state[f"{entry}.bias"][kept]
        thinned[exit_] = out_DH[:, kept].contiguous()
    return thinned
