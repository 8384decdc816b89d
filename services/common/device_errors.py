"""Errors of a device: those that fail one job, and those after which nothing works any more."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from omnireel.errors import ResourceExhausted

OUT_OF_MEMORY = "OUT_OF_MEMORY"
"""The reason of a job that does not fit; it would not fit a second time either."""

DEVICE_BROKEN = "DEVICE_BROKEN"
"""The reason of jobs that meet a device which only a new process can use again."""

_SAYS_OUT_OF_MEMORY = ("out of memory", "allocate memory", "alloc_failed")
"""As CUDA, torch's CPU allocator, and cuBLAS and cuDNN say it (``CUBLAS_STATUS_ALLOC_FAILED``)."""


@contextmanager
def memory_errors_fail_one_job(field: str) -> Iterator[None]:
    """Turn running out of memory into :class:`ResourceExhausted` and give the memory back.

    ``field`` names what the caller should make smaller. The server lives on: whatever the job
    had allocated is dropped with its frames.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        # The frames in the traceback hold the job's tensors, and the traceback lives on.
        traceback.clear_frames(error.__traceback__)
        _give_cached_memory_back()
        raise ResourceExhausted(
            f"the job does not fit into the device's memory; make {field} smaller",
            reason=OUT_OF_MEMORY,
        ) from error


def device_works() -> bool:
    """Whether the GPUs that this process uses still do anything; True without one.

    After an illegal memory access, a failed device-side assertion or an uncorrectable memory error
    every call of CUDA in this process fails, for good (CUDA runtime API, "sticky" errors). Asking
    costs the time of what still runs there.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return True
    try:
        for index in range(torch.cuda.device_count()):
            if torch.cuda.memory_reserved(index):  # others would only be set up by asking
                torch.cuda.synchronize(index)
    except RuntimeError:
        return False
    return True


def _give_cached_memory_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    # torch.OutOfMemoryError is a RuntimeError; CUDA's, cuBLAS' and the CPU allocator's are plain.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error).lower()
    return any(words in said for words in _SAYS_OUT_OF_MEMORY)
