"""Who judges: which readers look at clips, and which version of the oracles asks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnireel.evaluate.oracles import VERSION
from omnireel.registry import verify
from omnireel.shipped import SHIPPED_ORACLE


def current_scorer() -> dict[str, Any]:
    """That of this release: the readers' weights by hash, and the version of the oracles' code."""
    weights = verify(SHIPPED_ORACLE)["sha256"]["model.safetensors"]
    return {"oracles": weights, "oracles_version": VERSION}


def scorer_in(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """That of a run; what its manifest does not know, as in runs of older releases, is None."""
    return {key: manifest.get(key) for key in ("oracles", "oracles_version")}


def scorer_changed(manifest: Mapping[str, Any]) -> str:
    """How the scorer of a run differs from that of this release; empty: it does not."""
    then, now = scorer_in(manifest), current_scorer()
    if then["oracles"] != now["oracles"]:
        return "measured with other readers of clips than this release has"
    if then["oracles_version"] != now["oracles_version"]:
        version = then["oracles_version"] or "unknown"
        return f"measured with version {version} of the oracles, this is {now['oracles_version']}"
    return ""
