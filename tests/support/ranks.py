"""Run a function on several CPU ranks: processes that talk through gloo."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist


def run_ranks(function: Callable[..., Any], world: int, *args: Any, timeout_s: float = 240) -> Any:
    """``[function(*args) on rank 0, on rank 1, ..]``; what it returns must be picklable."""
    # The server imports torch once; ranks are forked from it, without threads or random states.
    context = multiprocessing.get_context("forkserver")
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    context.set_forkserver_preload(["torch", "omnireel.parallel", "deepspeed", function.__module__])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        processes = [
            context.Process(target=_rank, args=(function, rank, world, folder, args), daemon=True)
            for rank in range(world)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout_s)
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()
        errors = [path.read_text() for path in sorted(folder.glob("error_*"))]
        assert not errors, "\n".join(errors)
        codes = [process.exitcode for process in processes]
        assert codes == [0] * world, f"exit codes {codes}"
        return [torch.load(folder / f"result_{rank}", weights_only=False) for rank in range(world)]


def _rank(
    function: Callable[..., Any], rank: int, world: int, folder: Path, args: tuple[Any, ...]
) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    try:
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world
        )
        torch.save(function(*args), folder / f"result_{rank}")
        dist.barrier()
        dist.destroy_process_group()
    except BaseException:  # noqa: BLE001 - the parent process shows it
        (folder / f"error_{rank}").write_text(f"rank {rank}:\n{traceback.format_exc()}")
        os._exit(1)
