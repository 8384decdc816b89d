"""Operations of networks other than the transformer.

Convolutions have no short formula, so torch counts them, once for each shape: a copy on the meta
device runs forwards and backwards without any data, while every product that torch dispatches adds
what torch's registry says of its shapes. Real passes are not touched, so they stay the same bits
whether a shape is new or known. Language models know their formula themselves.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from omnireel.train.work import PRODUCTS, Work


class OperationCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up torch's own counts of what runs inside the block."""

    total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and count it."""
        out = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


class PassCounter:
    """Operations of ``run(module, *inputs)``, forwards and backwards, by the shapes of ``inputs``.

    Attention counts as its two products, whatever the operator that computes it.
    """

    def __init__(self, module: nn.Module, run: Callable[..., Tensor]) -> None:
        """``module`` is copied without its numbers; ``run`` returns all that the loss is made of in
        one tensor."""
        self._module = copy.deepcopy(module).to("meta")
        self._run = run
        self._known: dict[tuple[torch.Size | None, ...], float] = {}

    def __call__(self, *inputs: Any) -> float:
        """``inputs`` are tensors of data, of which no gradient is wanted; None: not there."""
        shapes = tuple(None if x is None else x.shape for x in inputs)
        if shapes not in self._known:
            counter = OperationCounter()  # type: ignore[no-untyped-call]
            bare = [None if x is None else torch.empty_like(x, device="meta") for x in inputs]
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counter:
                out = self._run(self._module, *bare)
                out.sum().backward()  # type: ignore[no-untyped-call]
            self._known[shapes] = counter.total
        return self._known[shapes]


@runtime_checkable
class CountsOperations(Protocol):
    """A dialogue model that knows its operations."""

    def operations(self, sequences: int, tokens: int, pictures: int, read: int) -> float:
        """Of a forward pass over ``sequences`` of ``tokens`` each, with so many ``pictures`` in all
        of them and the logits of ``read`` tokens."""


def dialogue_work(
    model: nn.Module, ids_BN: Tensor, pixels_ICHW: Tensor, read: int, *, trained: bool
) -> Work:
    """One pass; ``trained``: its backward pass follows, and the tokens read are its target. Nothing
    is known of models that do not count."""
    if not isinstance(model, CountsOperations):
        return Work()
    sequences, tokens = ids_BN.shape
    forward = model.operations(sequences, tokens, len(pixels_ICHW), read)
    return Work(read, PRODUCTS * forward) if trained else Work(flops=forward)
