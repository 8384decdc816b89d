"""Opening an embedder by its folder."""

from __future__ import annotations

from pathlib import Path

from omnireel.embed.base import Embedder
from omnireel.errors import NotFound
from omnireel.shipped import located


def open_embedder(folder: Path | str) -> Embedder:
    """The embedder in ``folder``: a component of `omnireel train embedder-tiny` (it has a
    ``card.json``), or a CLIP- or SigLIP-like model in ``transformers`` form.

    Raises:
        NotFound: there is neither.
        IntegrityError, InvalidInput, FailedPrecondition: it cannot be used; see the back-ends.

    """
    folder = located(Path(folder))
    if (folder / "card.json").is_file():
        from omnireel.embed.tiny import TinyEmbedder

        return TinyEmbedder.load(folder)
    if (folder / "config.json").is_file():
        from omnireel.embed.image_text import ImageTextEmbedder

        return ImageTextEmbedder.load(folder)
    raise NotFound(
        f"no embedder in {folder}: give a folder with card.json (see 'omnireel train "
        "embedder-tiny') or a CLIP-like transformers model"
    )
