"""One HTML file on which people compare the clips of questions, side by side and in step.

The file holds everything (clips as sprite sheets of all frames, in the page itself) and loads
nothing, so it can be sent to whoever judges. It tells neither seeds nor scores. Clips are decoded
from the latents that training compares; a served edit would keep more of its source.

Answers stay in the browser until they are saved as the JSON that
:func:`omnireel.recipes.preference_answers.import_answers` reads.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from omnireel.errors import InvalidInput
from omnireel.evaluate.pages import JUDGING, fill
from omnireel.evaluate.pages.answers import FORMAT_VERSION
from omnireel.files import atomic_write
from omnireel.generate.components import latent_space_sha256, load_vae
from omnireel.generate.frames import video_to_frames
from omnireel.media.sprites import write_sprite
from omnireel.model.vae import VideoVAE
from omnireel.recipes.preference_questions import questions_hash, questions_manifest
from omnireel.train.preferences import PreferencePair, PreferenceSet
from omnireel.types import Clip


def write_page(folder: Path, vae: Path, out: Path) -> int:
    """Write the page for the questions in ``folder``; returns how many there are.

    Args:
        folder: what :func:`omnireel.recipes.preference_questions.build_questions` made.
        vae: component folder of the autoencoder that decodes the clips.
        out: the .html file.

    Raises:
        NotFound: no questions, or no autoencoder.
        InvalidInput: the clips are latents of another autoencoder.

    """
    manifest = questions_manifest(folder)
    if manifest.get("latent_space") != latent_space_sha256(vae):
        raise InvalidInput(
            f"the clips in {folder} are latents of another autoencoder than {vae}", field="vae"
        )
    found = PreferenceSet(folder)
    decoder, fps = load_vae(vae), float(manifest["format"]["fps"])
    data = {
        "format_version": FORMAT_VERSION,
        "questions": questions_hash(folder),
        "pairs": [_pair(found.pair(n), decoder, fps) for n in range(len(found))],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, fill(JUDGING, data))
    return len(found)


def _pair(pair: PreferencePair, vae: VideoVAE, fps: float) -> dict[str, Any]:
    return {
        "prompt": pair.prompt.text,
        "given": [
            {"role": s.role.value.replace("_", " "), **_clip(s.latents_CTHW, vae, fps)}
            for s in pair.segments
        ],
        "first": _clip(pair.first.latents_CTHW, vae, fps),
        "second": _clip(pair.second.latents_CTHW, vae, fps),
    }


@torch.inference_mode()
def _clip(latents_CTHW: Tensor, vae: VideoVAE, fps: float) -> dict[str, Any]:
    frames = video_to_frames(vae.decode(latents_CTHW[None])[0])
    sheet, shape = write_sprite(Clip(frames, fps=fps))
    return {"sprite": "data:image/webp;base64," + base64.b64encode(sheet).decode(), **shape}
