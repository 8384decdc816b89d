"""The shares of facts that ship with an enhancer, in its card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition
from omnireel.evaluate.free_prompts.run import WORDINGS
from omnireel.registry import verify
from omnireel.registry.card import write_card


def record_shares(data: Mapping[str, Any], enhancer: Path) -> Path:
    """Write the shares of a run on held-out prompts into the card of the enhancer.

    Raises:
        FailedPrecondition: other prompts, or another enhancer, were measured.

    """
    card = verify(enhancer)
    if data["split"] != "held_out":
        raise FailedPrecondition("recorded shares are those of --split held_out")
    if data["enhancer"] != card["sha256"]["model.safetensors"]:
        raise FailedPrecondition(f"{enhancer} is another one than was measured")
    shares = {f"free_prompts_{wording}": data[wording][0] for wording in WORDINGS}
    card["scores"] = {**card.get("scores", {}), **shares}
    return write_card(enhancer, card)
