"""How many CPU threads a model may use."""

from __future__ import annotations


def use_cpu_threads(count: int) -> None:
    """Let torch use ``count`` threads per operation; 0 leaves its own choice."""
    if count:
        import torch

        torch.set_num_threads(count)
