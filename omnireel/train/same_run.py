"""What may differ between a checkpoint and the run that resumes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnireel.errors import InvalidInput

MAY_CHANGE_ON_RESUME = (
    "trainer.num_steps",
    "trainer.max_minutes",
    "trainer.non_finite",
    "trainer.max_skips",
    "trainer.stop_above",
    "trainer.bands",
    "trainer.log_every",
    "trainer.validate_every",
    "trainer.checkpoint_every",
    "trainer.keep_checkpoints",
    "trainer.threads",
    "trainer.device",
    "trainer.peak_tflops",
    "trainer.feed.",
    "trainer.parallel.",
    "offload_gb",  # copies are exact
    "data.count",
    "folders.",
    "shards",  # where they are; what they hold is pinned
    "shard_words",  # the words themselves are pinned
    "workers",
    "render_workers",
    "previews",
    "held_out",
)
"""Fields (or prefixes) that may differ between a checkpoint and the run that resumes it."""

_SHIFT_BY = {"kind": "constant", "token_scale": 1.0}


def check_same_config(saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse to resume with other settings than the run was started with.

    Args:
        saved: flat configuration in the checkpoint.
        current: flat configuration of the resuming run.

    Raises:
        InvalidInput: they differ in a field that matters; the message names fields and values.

    """
    if "batching" in current:
        # Earlier releases knew one way of batching and of encoding, and nothing about packs.
        known = ("packing.max_tokens", "packing.fill", "packing.max_degree")
        packing = {n: v for n, v in current.items() if n in known}
        if "packing.max_degree" in packing:
            packing["packing.max_degree"] = 1
        saved = {**packing, "batching": "formats", "encoding": "cache", **saved}
    # Shifts of earlier releases were the same for all lengths.
    lengths = {n: _SHIFT_BY[n.rpartition(".")[2]] for n in current if ".shift_by." in n}
    saved = {**lengths, **saved}
    changed = [
        f"{name} ({saved.get(name)!r} -> {current.get(name)!r})"
        for name in sorted(saved.keys() | current.keys())
        if saved.get(name) != current.get(name) and not name.startswith(MAY_CHANGE_ON_RESUME)
    ]
    if changed:
        raise InvalidInput(
            f"the run was started with another configuration: {', '.join(changed[:5])}; undo the "
            "change, or start a new run with --init-from",
            field=changed[0].split(" ")[0],
        )
