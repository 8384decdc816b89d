"""Denoising that goes on where another process left off.

The noisy latents after a step are all that a denoising loop needs: the rest follows from the
request. They are kept as one object for each stage of a job, under the job's own prefix and not
under that of an attempt, so that whoever takes the job up finds them. A writer that was cut off may
come back and put an older state there; it is of the same computation, so it costs steps and cannot
change the result.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message
from safetensors import SafetensorError
from safetensors.numpy import load, save

from omnireel.errors import NotFound, OmnireelError
from omnireel.store import ObjectStore
from services.common.artifacts import MAX_LATENT_BYTES
from services.common.logs import get_logger

log = get_logger(__name__)

NOT_PART_OF_THE_WORK = ("job", "output_prefix", "state_prefix", "preview_every_steps")


@dataclass(frozen=True, eq=False)
class DenoisingState:
    """The noisy latents ``CTHW`` after ``step`` steps."""

    step: int
    latents_CTHW: npt.NDArray[np.float32]


def state_prefix(job_id: str) -> str:
    """Where the states of a job's stages are."""
    return f"jobs/{job_id}/checkpoint"


def forget_states(store: ObjectStore, job_id: str) -> None:
    """Delete the states of a job that needs them no more."""
    for info in list(store.list(f"{state_prefix(job_id)}/")):
        store.delete(info.uri)


def work_digest(request: Message, version: str) -> str:
    """SHA-256 over everything in ``request`` that the result depends on, and the model's version.

    A state is good only for the very same work.
    """
    work = type(request)()
    work.CopyFrom(request)
    for name in NOT_PART_OF_THE_WORK:
        work.ClearField(name)
    data = work.SerializeToString(deterministic=True)
    return hashlib.sha256(data + version.encode()).hexdigest()


class Checkpoints:
    """The state of one stage of one job in the store.

    Args:
        store: where to.
        prefix: key prefix such as ``jobs/7/checkpoint``; empty: nothing is kept.
        name: of the stage.
        digest: see :func:`work_digest`.
        every_steps: :meth:`due` says so after each multiple of it; 0: never.
    """

    def __init__(
        self, store: ObjectStore, prefix: str, name: str, digest: str, every_steps: int
    ) -> None:
        self._store = store
        self._key = f"{prefix}/{name}.safetensors" if prefix else ""
        self._digest = digest
        self._every_steps = every_steps

    def load(self) -> DenoisingState | None:
        """The last state of this very work, or None. One that cannot be read is none."""
        if not self._key:
            return None
        uri = self._store.uri(self._key)
        try:
            tensors = load(self._store.get(uri, max_bytes=MAX_LATENT_BYTES))
            digest = tensors["digest"].tobytes().decode()
            state = DenoisingState(int(tensors["step"]), tensors["latents_CTHW"])
        except NotFound:
            return None
        except (OmnireelError, SafetensorError, KeyError, ValueError) as error:
            log.warning("a checkpoint cannot be read; beginning anew", uri=uri, error=repr(error))
            return None
        if digest != self._digest:
            log.warning("a checkpoint is of other work; beginning anew", uri=uri)
            return None
        log.info("denoising goes on", step=state.step)
        return state

    def due(self, step: int, num_steps: int) -> bool:
        """Whether the state after ``step`` is to be kept."""
        every = self._every_steps
        return bool(self._key and every) and step % every == 0 and step < num_steps

    def save(self, state: DenoisingState) -> None:
        """Replace the kept state. A store that fails costs the checkpoint, not the job."""
        if not self._key:
            return
        tensors: dict[str, npt.NDArray[Any]] = {
            "latents_CTHW": np.ascontiguousarray(state.latents_CTHW, dtype=np.float32),
            "step": np.array(state.step, dtype=np.int64),
            "digest": np.frombuffer(self._digest.encode(), dtype=np.uint8),
        }
        try:
            self._store.put(self._key, save(tensors))
        except OmnireelError as error:
            log.warning("a checkpoint was not written", error=str(error))
