"""The tiny embedder's network: sights and words in one space, and how well they agree.

1. ``see``: a sight (`sight`) -> six tokens: two subjects, place, weather, style, camera.
2. ``embed_clips`` and ``embed_texts``: attention pooling of either into one shared space
   (sigmoid loss: Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023).
3. ``who``: a vector for each subject that says who it is, whatever it does and wherever.
4. ``match``: words look at the tokens of one clip, or of a source, its result and what differs
   between them (`focus`); every word may object, and objections add up (the matching head of Li et
   al., "BLIP", 2022, with a sum in place of a class token).
5. ``lookup``: what a text names outright, looked up among who is seen (`lookup`).

Shapes: B clips with K subjects each, described by F numbers, and M texts of N tokens each; S is
the width of the vector of a subject, and Q how many subjects are looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from omnireel.embed.focus import GROUPS, LIKENESS, SIGHTED
from omnireel.embed.lookup import Lookup
from omnireel.embed.sight import CHANGE, SCENE, SUBJECT, SUBJECTS, WHO
from omnireel.errors import InvalidInput

_OUTPUTS = 2
_STYLE = 2
"""Of the parts of SCENE."""
_HIDDEN = 32
FOLLOWED, KEPT = 0, 1
"""What `match` tells: the words are true (of an edit: done); nothing else was changed."""
ALONE, SOURCE = 0, 1
TOKENS = SUBJECTS + len(SCENE)


@dataclass(frozen=True)
class EmbedderConfig:
    """Sizes. ``words`` is the vocabulary of the tokenizer (see `omnireel.model.text`)."""

    words: tuple[str, ...]
    max_tokens: int = 80
    width: int = 64
    heads: int = 4
    text_layers: int = 1
    match_layers: int = 2
    embed_dim: int = 64
    subject_dim: int = 32

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InvalidInput("width must be a multiple of heads", field="model.width")


class MatchingNetwork(nn.Module):
    """See the module's text."""

    def __init__(self, config: EmbedderConfig, vocabulary: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.subject_in = nn.Linear(SUBJECT, width)
        self.scene_in = nn.ModuleList(nn.Linear(size, width) for size in SCENE)
        self.slots = nn.Parameter(torch.randn(TOKENS, width) * 0.02)
        self.norm_in = nn.LayerNorm(width)
        self.table = nn.Embedding(vocabulary, width)
        self.text_positions = nn.Parameter(torch.randn(config.max_tokens, width) * 0.02)
        self.text_blocks = nn.ModuleList(_Block(config) for _ in range(config.text_layers))
        self.clip_pool = _Pool(width, config.heads, config.embed_dim)
        self.text_pool = _Pool(width, config.heads, config.embed_dim)
        self.scale = nn.Parameter(torch.tensor(2.3))
        self.bias = nn.Parameter(torch.tensor(-6.0))
        self.who_in = nn.Linear(WHO, width)
        self.who_out = nn.Linear(width, config.subject_dim)
        self.who_scale = nn.Parameter(torch.tensor(2.3))
        self.who_bias = nn.Parameter(torch.tensor(-6.0))
        self.roles = nn.Parameter(torch.randn(2, width) * 0.02)
        self.change_in = nn.Linear(CHANGE, width)
        self.focus = _Focus(width)
        self.stayed = _Stayed()
        self.lookup = Lookup()
        self.match_blocks = nn.ModuleList(_Block(config) for _ in range(config.match_layers))
        self.norm = nn.LayerNorm(width)
        self.objection_out = nn.Linear(width, _OUTPUTS)
        nn.init.constant_(self.objection_out.bias, -3.0)
        self.agreement = nn.Parameter(torch.full((_OUTPUTS,), 3.0))

    def see(self, subjects_BKF: Tensor, scene_BF: Tensor) -> Tensor:
        """Tokens ``BND`` of sights."""
        parts = torch.split(scene_BF, list(SCENE), dim=-1)
        scene = [layer(part) for layer, part in zip(self.scene_in, parts, strict=True)]
        tokens = torch.cat([self.subject_in(subjects_BKF), torch.stack(scene, 1)], 1)
        out: Tensor = self.norm_in(tokens + self.slots)
        return out

    def _focused(self, focus_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens of `focus`: who is there reads like any other subject."""
        groups_BF, kept_BF = focus_BF[:, :-LIKENESS], focus_BF[:, -LIKENESS:]
        groups_BNF = groups_BF.reshape(len(focus_BF), 2 * GROUPS, SIGHTED)
        more, kept = self.focus(groups_BNF[..., SUBJECT:], kept_BF)
        return self.norm_in(self.subject_in(groups_BNF[..., :SUBJECT]) + more), kept

    def hear(self, ids_BMN: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens ``BMND`` of M texts for each of B clips, and where there are any; 0 is padding."""
        b, m, n = ids_BMN.shape
        ids = ids_BMN.reshape(b * m, n)
        there = ids > 0
        x = self.table(ids) + self.text_positions[:n]
        for block in self.text_blocks:
            x = block(x, x, there)
        return x.reshape(b, m, n, -1), there.reshape(b, m, n)

    def embed_clips(self, tokens_BND: Tensor) -> Tensor:
        """Unit vectors ``BE``."""
        return F.normalize(self.clip_pool(tokens_BND, None), dim=-1)

    def embed_texts(self, words_BMND: Tensor, there_BMN: Tensor) -> Tensor:
        """Unit vectors ``BME``."""
        b, m, n, d = words_BMND.shape
        pooled = self.text_pool(words_BMND.reshape(b * m, n, d), there_BMN.reshape(b * m, n))
        return F.normalize(pooled, dim=-1).reshape(b, m, -1)

    def who(self, subjects_BKF: Tensor) -> Tensor:
        """Unit vectors ``BKS`` of the subjects; a subject that is not there has the zero vector."""
        known = F.gelu(self.who_in(subjects_BKF[..., :WHO]))
        there = subjects_BKF[..., -1:] > 0
        return F.normalize(self.who_out(known), dim=-1) * there

    def appears(self, wanted_QS: Tensor, who_BKS: Tensor) -> Tensor:
        """Whether somebody is among the subjects of a clip: logits ``BQ``."""
        near = torch.einsum("qs,bks->bqk", wanted_QS, who_BKS).amax(-1)
        return near * self.who_scale.exp() + self.who_bias

    def match(
        self,
        words_BMND: Tensor,
        there_BMN: Tensor,
        tokens_BND: Tensor,
        source_BND: Tensor | None = None,
        change_BF: Tensor | None = None,
        focus_BF: Tensor | None = None,
    ) -> Tensor:
        """Logits ``BM2``: (followed, kept) of every text for its clip, or for (source, clip)."""
        seen = tokens_BND + self.roles[ALONE]
        if source_BND is not None and change_BF is not None and focus_BF is not None:
            changed = self.change_in(change_BF)[:, None]
            seen = torch.cat([seen, source_BND + self.roles[SOURCE], changed], 1)
            seen = torch.cat([seen, *self._focused(focus_BF)], 1)
        b, m, n, d = words_BMND.shape
        x = words_BMND.reshape(b, m * n, d)
        for block in self.match_blocks:
            x = block(x, seen, None)
        objections = F.softplus(self.objection_out(self.norm(x)))
        objections = objections.reshape(b, m, n, _OUTPUTS) * there_BMN[..., None]
        return self.agreement - objections.sum(2)


class _Focus(nn.Module):
    """What tokens of `focus` say beyond those of subjects: patterns and stands, before or after,
    and what kept its shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.more_in = nn.Linear(SIGHTED - SUBJECT, width)
        self.kept_in = nn.Linear(LIKENESS, width)
        self.kept_out = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.slots = nn.Parameter(torch.randn(2 * GROUPS, width) * 0.02)
        self.norm = nn.LayerNorm(width)

    def forward(self, more_BNF: Tensor, kept_BF: Tensor) -> tuple[Tensor, Tensor]:
        """Additions to the tokens of who stood and stands in each group, and a token of its own."""
        kept = self.kept_in(kept_BF)[:, None]
        return self.more_in(more_BNF) + self.slots, self.norm(kept + self.kept_out(kept))


class _Stayed(nn.Module):
    """Logits ``B``: nothing but one thing was changed. From few numbers and without words, as who
    knows less learns less by heart: how things differ, their likeness, and the styles of both."""

    def __init__(self) -> None:
        super().__init__()
        self.known_in = nn.Linear(CHANGE + LIKENESS + 2 * SCENE[_STYLE], _HIDDEN)
        self.known_out = nn.Linear(_HIDDEN, 1)

    def forward(self, change_BF: Tensor, focus_BF: Tensor, scenes: Sequence[Tensor]) -> Tensor:
        first = sum(SCENE[:_STYLE])
        styles = [s[:, first : first + SCENE[_STYLE]] for s in scenes]
        numbers = torch.cat([change_BF, focus_BF[:, -LIKENESS:], *styles], -1)
        out: Tensor = self.known_out(F.gelu(self.known_in(numbers)))
        return out[:, 0]


class _Block(nn.Module):
    """Attention of ``x`` to ``seen`` (itself or something else), then an MLP, each with a norm."""

    def __init__(self, config: EmbedderConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm_x, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, seen: Tensor, there: Tensor | None) -> Tensor:
        own = x is seen
        q_in = self.norm_x(x)
        q = self._split(self.query(q_in))
        k, v = self.key_value(q_in if own else seen).chunk(2, dim=-1)
        mask = None if there is None else there[:, None, None, :]
        mixed = F.scaled_dot_product_attention(q, self._split(k), self._split(v), attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        out: Tensor = x + self.mlp(self.norm_mlp(x))
        return out

    def _split(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        return x.reshape(b, n, self.heads, d // self.heads).transpose(1, 2)


class _Pool(nn.Module):
    """Several weighted means of the tokens, then one linear map."""

    def __init__(self, width: int, heads: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, heads)
        self.out = nn.Linear(width * heads, out)

    def forward(self, tokens_BND: Tensor, there_BN: Tensor | None) -> Tensor:
        weight = self.weight(tokens_BND)
        if there_BN is not None:
            weight = weight.masked_fill(~there_BN[..., None], float("-inf"))
        pooled = torch.einsum("bnh,bnd->bhd", weight.softmax(1), tokens_BND)
        out: Tensor = self.out(pooled.flatten(1))
        return out
