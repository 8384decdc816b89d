"""Embedders: clips, images, texts and subjects as vectors, and how well they agree.

`open_embedder` opens a trained tiny one, which knows the procedural world, or any CLIP- or
SigLIP-like model, by its folder.
"""

from omnireel.embed.base import EditAgreement, Embedder, MovementAgreement
from omnireel.embed.open import open_embedder

__all__ = ["EditAgreement", "Embedder", "MovementAgreement", "open_embedder"]
