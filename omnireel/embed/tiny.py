"""The tiny embedder: the network of `network`, its words and its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from omnireel.embed.base import F32, EditAgreement, MovementAgreement
from omnireel.embed.focus import focus
from omnireel.embed.named import named
from omnireel.embed.network import FOLLOWED, KEPT, EmbedderConfig, MatchingNetwork
from omnireel.embed.sight import Sight, change, look, mirrored, same_camera, same_motion
from omnireel.embed.words import in_mirror, token_ids
from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.model.text import Tokenizer
from omnireel.registry import load_component
from omnireel.types import Frames


class TinyEmbedder:
    """See :class:`omnireel.embed.base.Embedder`."""

    def __init__(self, network: MatchingNetwork, tokenizer: Tokenizer, name: str = "tiny") -> None:
        self._network, self._tokenizer = network.eval(), tokenizer
        self.name = name

    @classmethod
    def load(cls, folder: Path) -> TinyEmbedder:
        """Open a component.

        Raises:
            NotFound, IntegrityError, InvalidInput: see `omnireel.registry.load_component`.
            FailedPrecondition: it was trained for an earlier network.

        """
        component = load_component(folder, kind="embedder")
        with component.building() as data:
            config = EmbedderConfig(**{**data, "words": tuple(data["words"])})
            tokenizer = Tokenizer(config.words, config.max_tokens)
            network = MatchingNetwork(config, len(tokenizer))
        if other := network.state_dict().keys() ^ component.state_dict.keys():
            raise FailedPrecondition(
                f"{folder} is of an earlier version of the network ({min(other)}); train it "
                f"further: omnireel train embedder-tiny --init-from {folder}"
            )
        network.load_state_dict(component.state_dict)
        digest = component.card["sha256"]["model.safetensors"][:12]
        return cls(network, tokenizer, f"tiny-{digest}")

    @torch.inference_mode()
    def embed_clips(self, clips: Sequence[Frames]) -> F32:
        """Unit vectors."""
        out: F32 = self._network.embed_clips(self._tokens([look(c) for c in clips])).numpy()
        return out

    @torch.inference_mode()
    def embed_subjects(self, clips: Sequence[Frames]) -> F32:
        """Unit vectors of the largest subjects; zero where there is none."""
        out: F32 = self._who([look(clip) for clip in clips])[:, 0].numpy()
        return out

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> F32:
        """Unit vectors."""
        heard = self._network.hear(token_ids(texts, self._tokenizer)[None])
        out: F32 = self._network.embed_texts(*heard)[0].numpy()
        return out

    @torch.inference_mode()
    def agreement(self, clip: Frames, texts: Sequence[str]) -> F32:
        """By the matching head, of the clip and of its mirror image."""
        turned = self._followed(mirrored(clip), [in_mirror(text) for text in texts])
        out: F32 = ((self._followed(clip, texts) + turned) / 2).sigmoid().numpy()
        return out

    def _followed(self, clip: Frames, texts: Sequence[str]) -> Tensor:
        """Logits ``M``."""
        heard = self._network.hear(token_ids(texts, self._tokenizer)[None])
        sight = look(clip)
        logits = self._network.match(*heard, self._tokens([sight]))[0, :, FOLLOWED]
        out: Tensor = logits + self._network.lookup(named(texts)[None], _subjects([sight]))[0]
        return out

    @torch.inference_mode()
    def appearance(self, reference: Frames, clip: Frames) -> float:
        """The reference's largest subject against all of the clip."""
        wanted, here = self._who([look(reference)])[:, 0], self._who([look(clip)])
        return float(self._network.appears(wanted, here).sigmoid())

    @torch.inference_mode()
    def edit(self, source: Frames, result: Frames, instruction: str) -> EditAgreement:
        """By the matching head, which sees both clips and where they differ; as they are and in a
        mirror."""
        if source.shape != result.shape:
            raise InvalidInput(
                f"source {source.shape[:3]} and result {result.shape[:3]} differ in frames or size",
                field="source",
            )
        seen = self._edited(source, result, instruction)
        turned = self._edited(mirrored(source), mirrored(result), in_mirror(instruction))
        done, kept = ((seen + turned) / 2).sigmoid().tolist()
        return EditAgreement(done, kept)

    def _edited(self, source: Frames, result: Frames, instruction: str) -> Tensor:
        """Two logits: (done, kept)."""
        before, after = look(source), look(result)
        heard = self._network.hear(token_ids([instruction], self._tokenizer)[None])
        apart = [torch.from_numpy(part(before, after))[None] for part in (change, focus)]
        tokens = self._tokens([after]), self._tokens([before])
        logits = self._network.match(*heard, *tokens, *apart)[0, 0]
        sights = [_subjects([sight]) for sight in (after, before)]
        facts = self._network.lookup(named([instruction])[None], *sights, *apart)[0, 0]
        scenes = [torch.from_numpy(sight.scene_F)[None] for sight in (before, after)]
        # Two opinions, one with words and one without: odds multiply.
        kept = (logits[KEPT] + self._network.stayed(*apart, scenes)[0]) / 2
        return torch.stack([logits[FOLLOWED] + facts, kept])

    def movement(self, one: Frames, other: Frames) -> MovementAgreement:
        """By what its eyes read: the motions and camera moves of the world."""
        here, there = ((look(clip), look(mirrored(clip))) for clip in (one, other))
        return MovementAgreement(same_motion(here[0], there[0]), same_camera(here, there))

    def _tokens(self, sights: Sequence[Sight]) -> Tensor:
        numbers = (
            np.stack([sight.subjects_KF for sight in sights]),
            np.stack([sight.scene_F for sight in sights]),
        )
        return self._network.see(*(torch.from_numpy(part) for part in numbers))

    def _who(self, sights: Sequence[Sight]) -> Tensor:
        return self._network.who(_subjects(sights))


def _subjects(sights: Sequence[Sight]) -> Tensor:
    return torch.from_numpy(np.stack([sight.subjects_KF for sight in sights]))
