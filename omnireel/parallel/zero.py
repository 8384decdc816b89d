"""Optimiser state, gradients and weights shared by all ranks: DeepSpeed ZeRO (1910.02054).

Every rank is a data-parallel rank; DeepSpeed is not told that some of them share sequences. With R
ranks, of which D share each sequence, a rank differentiates::

    R * share * loss          share: weight of its group's batch / weight of all batches of a step

of which DeepSpeed averages the gradients over R ranks. The ranks of a group compute parts of one
gradient (:mod:`omnireel.parallel.sequence`), so the sum is the gradient of the weighted mean over
all batches, whatever mix of Ulysses degrees made it, in every stage.

Everything that touches weights runs inside :meth:`ZeroRuntime.run`, forward passes without
gradient and validation included: in stage 3 DeepSpeed then gathers what a layer needs when it
needs it, also where a network's parts are called one by one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from omnireel.errors import FailedPrecondition
from omnireel.parallel.fragments import FlatBuffer, Fragment, exchange_fragments
from omnireel.parallel.ranks import ParallelConfig
from omnireel.parallel.timed import Stopwatch, TimedBackend

_NO_CLIPPING = 1e30
"""DeepSpeed computes the gradient's norm in all stages only where it clips."""


class ZeroRuntime:
    """DeepSpeed around named modules; all ranks make the same calls."""

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        optimizer: torch.optim.Optimizer,
        config: ParallelConfig,
        *,
        clip_norm: float,
    ) -> None:
        """Share out ``modules`` as ``config`` says; rank 0's weights count.

        Args:
            modules: trained modules by name.
            optimizer: over their parameters. Stage 0 leaves the parameters to it, and clipping;
                other stages put flat buffers into its groups, and scale gradients before it.
            config: the stage.
            clip_norm: 0 for none.

        Raises:
            FailedPrecondition: DeepSpeed is missing or works on another device.

        """
        device = next(iter(modules.values())).parameters().__next__().device
        deepspeed = _import_deepspeed(device.type)
        self.stage = config.zero
        self._root = _Root(modules)
        self._names: dict[Any, str] = {p: n for n, p in self._root.named()}
        self._engine, self._zero, _, _ = deepspeed.initialize(
            model=self._root,
            optimizer=optimizer,
            config=_deepspeed_config(config, clip_norm),
            dist_init_required=False,
        )
        self._watch = Stopwatch()
        # All that DeepSpeed sends goes through this one object.
        deepspeed.comm.comm.cdb = TimedBackend(deepspeed.comm.comm.cdb, self._watch)

    def communicated_s(self) -> float:
        """Seconds so far in DeepSpeed's collective operations."""
        return self._watch.seconds

    def run(self, call: Callable[[], Tensor]) -> Tensor:
        """``call()`` with all weights at hand."""
        if self.stage == 3:
            # What was fetched ahead and not used is still there, and may have been changed since.
            self._zero.parameter_offload.partition_all_parameters()
        result: Tensor = self._engine(call)
        return result

    def backward(self, loss: Tensor, share: float, *, last: bool) -> None:
        """Add the gradient of one micro-batch, see the module's docstring; :meth:`step` follows the
        ``last`` one of a step, of which there may be any number."""
        self._engine.set_gradient_accumulation_boundary(last)
        self._engine.backward(loss * (dist.get_world_size() * share), scale_wrt_gas=False)
        if not last:
            self._engine.step()

    def step(self) -> None:
        """Call the optimiser after the last micro-batch of a step, unless the norm is not finite.

        Gradients are gone afterwards.
        """
        self._engine.step()

    @property
    def norm(self) -> float:
        """Stages 1 to 3: norm of all gradients before clipping, known when the optimiser runs."""
        return float(self._zero._global_grad_norm)

    def flat_buffers(self) -> list[tuple[int, FlatBuffer]]:
        """Stages 1 to 3: what the optimiser works on, each with the number of its group."""
        if self.stage == 3:
            found = [
                (self._zero.sub_group_to_group_id[i], flat, self._zero.fp16_groups[i])
                for i, flat in enumerate(self._zero.fp32_partitioned_groups_flat)
            ]
            own = [_consecutive(parameters) for _, _, parameters in found]
        else:
            found = [
                (i, flat, self._zero.bit16_groups[i])
                for i, flat in enumerate(self._zero.single_partition_of_fp32_groups)
            ]
            own = [
                {p: _mapped(p) for p in parameters if p._hp_mapping is not None}
                for _, _, parameters in found
            ]
        return [
            (
                group,
                FlatBuffer(
                    flat,
                    {self._names[p]: _shape(p) for p in parameters},
                    exchange_fragments({self._names[p]: f for p, f in fragments.items()}),
                ),
            )
            for (group, flat, parameters), fragments in zip(found, own, strict=True)
        ]

    def weights(self) -> dict[str, tuple[Tensor, Fragment, torch.Size]]:
        """Our numbers of every parameter: flat, which they are, and the whole shape.

        Outside of stage 3 that is everything.
        """
        if self.stage < 3:
            return {
                name: (p.detach().view(-1), Fragment(0, p.numel()), p.shape)
                for p, name in self._names.items()
            }
        return {
            name: (p.ds_tensor.detach(), _slice(p), _shape(p)) for p, name in self._names.items()
        }

    def weights_changed(self) -> None:
        """Tell the optimiser that somebody wrote into :meth:`weights`."""
        if self.stage:
            self._zero.refresh_fp32_params()


class _Root(nn.Module):
    """What DeepSpeed sees: all trained modules under one, whose call runs anything inside."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(modules)

    def forward(self, call: Callable[[], Tensor]) -> Tensor:
        return call()

    def named(self) -> list[tuple[str, nn.Parameter]]:
        return [(n.removeprefix("parts."), p) for n, p in self.named_parameters()]


def _deepspeed_config(config: ParallelConfig, clip_norm: float) -> dict[str, Any]:
    """The same in DeepSpeed's words."""
    bucket = config.bucket_elements
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,  # whoever calls says which is the last
        "gradient_clipping": (clip_norm or _NO_CLIPPING) if config.zero else 0.0,
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 2**31,
        "zero_optimization": {
            "stage": config.zero,
            "overlap_comm": False,
            "reduce_bucket_size": bucket,
            "allgather_bucket_size": bucket,
            "stage3_prefetch_bucket_size": bucket,
            # Nothing stays whole between uses, so that a weight has exactly one place.
            "stage3_param_persistence_threshold": 0,
        },
    }


def _shape(parameter: Any) -> torch.Size:
    return torch.Size(parameter.ds_shape if hasattr(parameter, "ds_shape") else parameter.shape)


def _slice(parameter: Any, offset: int = 0) -> Fragment:
    """Stage 3: equal slices of every parameter, the last ones padded."""
    size, total = int(parameter.ds_tensor.numel()), _shape(parameter).numel()
    start = min(dist.get_rank() * size, total)
    return Fragment(start, min(size, total - start), offset)


def _consecutive(parameters: list[Any]) -> dict[Any, Fragment]:
    offset, found = 0, {}
    for parameter in parameters:
        found[parameter] = _slice(parameter, offset)
        offset += int(parameter.ds_tensor.numel())
    return found


def _mapped(parameter: Any) -> Fragment:
    """Stages 1 and 2: a slice of all parameters after each other."""
    mapping = parameter._hp_mapping
    inside, buffer = mapping.lp_fragment_address, mapping.get_hp_fragment_address()
    return Fragment(int(inside.start), int(inside.numel), int(buffer.start))


def _import_deepspeed(device: str) -> Any:
    # The only way to tell DeepSpeed, which chooses its device when it is imported.
    os.environ.setdefault("DS_ACCELERATOR", device)
    try:
        import deepspeed
    except ImportError as error:
        raise FailedPrecondition(
            "training on several ranks needs DeepSpeed: pip install 'omnireel[train]'",
            reason="MISSING_PACKAGE",
        ) from error
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    # It would compile collectives for CPU ranks at their first use; gloo's need no compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    found = str(deepspeed.accelerator.get_accelerator().device_name()).partition(":")[0]
    if found != device:
        raise FailedPrecondition(
            f"DeepSpeed works on {found} and the networks are on {device}; set "
            f"DS_ACCELERATOR={device}",
            reason="WRONG_DEVICE",
        )
    return deepspeed
