"""What a device can do at most, and what there is of it on this machine.

Peak numbers are the vendor's, dense (without structured sparsity). Nothing here is measured, except
the free memory of the device at hand.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from omnireel.errors import FailedPrecondition, InvalidInput
from omnireel.recipes.planning.memory import compute_type
from omnireel.train import TrainerConfig

GB = 10**9
TERA = 10**12


@dataclass(frozen=True)
class Device:
    """One accelerator, or one process of a CPU machine.

    ``bf16_flops`` and ``fp32_flops`` are matrix FLOP/s at most (fp32 without TF32, torch's default
    for training). ``link_bytes_s`` and ``network_bytes_s`` are what one device can send to its node
    and to other nodes, one way, in bytes per second.
    """

    name: str
    memory_bytes: int
    bf16_flops: float
    fp32_flops: float
    link_bytes_s: float
    network_bytes_s: float
    source: str
    host_bytes_s: float = 0.0
    """To the memory of its host, one way; 0: it has no other memory than that."""

    def peak_flops(self, compute: str) -> float:
        """FLOP/s at most in ``compute``: bfloat16 or float32."""
        return self.bf16_flops if compute == "bfloat16" else self.fp32_flops


DEVICES: dict[str, Device] = {
    "h100": Device(
        "h100", 80 * GB, 989.4 * TERA, 66.9 * TERA, 450 * GB, 50 * GB,
        "NVIDIA H100 SXM data sheet; 900 GB/s NVLink both ways, one 400 Gb/s adapter (DGX H100), "
        "PCIe 5.0 x16",
        host_bytes_s=64 * GB,
    ),
    "h200": Device(
        "h200", 141 * GB, 989.4 * TERA, 66.9 * TERA, 450 * GB, 50 * GB,
        "NVIDIA H200 SXM data sheet; 900 GB/s NVLink both ways, one 400 Gb/s adapter (DGX H200), "
        "PCIe 5.0 x16",
        host_bytes_s=64 * GB,
    ),
    "b200": Device(
        "b200", 180 * GB, 2_250 * TERA, 80 * TERA, 900 * GB, 50 * GB,
        "NVIDIA B200 data sheet (HGX, 1,000 W); 1.8 TB/s NVLink both ways, one 400 Gb/s adapter, "
        "PCIe 5.0 x16",
        host_bytes_s=64 * GB,
    ),
}  # fmt: skip
"""By the name that ``--gpu`` takes."""

_CPU_CORE_FLOPS = 96e9
"""Two fused multiply-adds on eight floats at 3 GHz: for an AVX2 core, not a data sheet."""
_CPU_LINK_BYTES_S = 10e9
"""Between processes through main memory: an order of magnitude, no data sheet."""


def named_device(name: str, threads: int = 1) -> Device:
    """The device that ``--gpu`` names; "cpu" is this machine's, with ``threads`` cores.

    Raises:
        InvalidInput: no such device.

    """
    if name == "cpu":
        flops = _CPU_CORE_FLOPS * (threads or os.cpu_count() or 1)
        source = "this machine's free memory; 96 GFLOP/s a core is arithmetic about AVX2 at 3 GHz"
        return Device(
            "cpu", free_memory_bytes(), flops, flops, _CPU_LINK_BYTES_S, _CPU_LINK_BYTES_S, source
        )
    if name not in DEVICES:
        known = (*DEVICES, "cpu")
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise InvalidInput(f"unknown device {name!r}; {hint}", field="gpu")
    return DEVICES[name]


def device_at_hand(device: str, threads: int = 1) -> Device:
    """What a run on torch device ``device`` finds here: its free memory is read, not looked up.

    Raises:
        FailedPrecondition: there is no such accelerator on this machine.

    """
    if torch.device(device).type == "cpu":
        return named_device("cpu", threads)
    if torch.device(device).type != "cuda" or not torch.cuda.is_available():
        raise FailedPrecondition(
            f"this machine has no device {device!r}; train on the CPU with --set "
            "trainer.device=cpu, or on a machine that has one",
            reason="NO_DEVICE",
        )
    title = torch.cuda.get_device_name(device)
    free, _ = torch.cuda.mem_get_info(device)
    known = next((d for d in DEVICES.values() if d.name.upper() in title), DEVICES["h100"])
    return replace(known, name=title, memory_bytes=free)


def peak_flops(trainer: TrainerConfig) -> float | None:
    """FLOP/s at most of one rank's device in the type that it trains in: what the recipe states,
    else the data sheet; ``None`` where neither says (any CPU)."""
    if trainer.peak_tflops:
        return trainer.peak_tflops * TERA
    if torch.device(trainer.device).type != "cuda" or not torch.cuda.is_available():
        return None
    title = torch.cuda.get_device_name(trainer.device)
    known = next((d for d in DEVICES.values() if d.name.upper() in title), None)
    return None if known is None else known.peak_flops(compute_type(trainer))


def free_memory_bytes(proc: Path = Path("/proc"), control: Path = Path("/sys/fs/cgroup")) -> int:
    """Main memory that a process may still take: of the machine, or of its control group if less.

    Raises:
        FailedPrecondition: the system does not say.

    """
    try:
        lines = (proc / "meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(x.split()[1]) for x in lines if x.startswith("MemAvailable:")) * 1024
    except (OSError, StopIteration) as error:
        raise FailedPrecondition(
            "cannot read the free memory of this machine; choose a device with --gpu",
            reason="MEMORY_UNKNOWN",
        ) from error
    try:
        limit = (control / "memory.max").read_text(encoding="ascii").strip()
        used = int((control / "memory.current").read_text(encoding="ascii"))
        stat = dict(x.split() for x in (control / "memory.stat").read_text("ascii").splitlines())
    except (OSError, ValueError):
        return available
    if limit == "max":
        return available
    # Cached files are given back when a process needs the memory.
    return min(available, int(limit) - used + int(stat.get("inactive_file", 0)))
