"""Activations in host memory between the forward and the backward pass of a block's half.

What autograd saves inside :meth:`HostOffload.saving` is copied to (pinned) host memory while the
device computes on, and is back on the device when the backward pass comes to it:

1. Forward: each saved storage is copied once, on a stream of its own, however many views of it are
   saved. The device's memory is given up when the copy is done; the computation waits for that only
   when more than ``ahead`` halves are still leaving.
2. Backward: the first tensor that a half asks for brings all of that half, and ``ahead`` earlier
   halves, back on another stream. What never left the device is used as it is.

Weights, their copies in another type that autocast keeps, integers (which belong to the batch) and
small tensors stay where they are. A tensor that was saved must not be changed in place. Copies are
exact, so gradients are those without offload, bit for bit. On a CPU the same happens with copies in
the same memory and without streams: of no use but to test it.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef


@dataclass(eq=False)
class _Stored:
    """One storage: on the device until its copy is done, then on the host, and back on demand."""

    group: _Group
    device: torch.device
    here: Tensor | None
    """Its bytes on the device, at first or again."""
    host: Tensor
    copied: torch.cuda.Event | None
    arrived: torch.cuda.Event | None = None


@dataclass(eq=False)
class _Group:
    """What one half saved. Groups live as long as something of them may be asked for."""

    before: weakref.ref[_Group] | None
    stored: list[weakref.ref[_Stored]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _View:
    """A saved tensor: a view of a storage that left, or of a weight."""

    of: _Stored | Tensor
    dtype: torch.dtype
    size: torch.Size
    stride: tuple[int, ...]
    offset: int


Packed = Tensor | _View


class HostOffload:
    """One device's way to host memory and back; the halves of all blocks share one."""

    def __init__(self, *, ahead: int = 1, min_bytes: int = 1 << 16) -> None:
        """Offer host memory.

        Args:
            ahead: halves that may be leaving, or coming back early, beside the one at work.
            min_bytes: smaller storages stay on the device.

        """
        self.moved_bytes = 0
        """All that was copied to the host so far."""
        self._ahead, self._min_bytes = ahead, min_bytes
        self._last: weakref.ref[_Group] | None = None
        self._known: dict[int, tuple[StorageWeakRef, weakref.ref[_Stored]]] = {}
        self._leaving: deque[_Group] = deque()
        self._streams: dict[torch.device, tuple[torch.cuda.Stream, torch.cuda.Stream]] = {}

    @property
    def open_storages(self) -> int:
        """How many storages a backward pass may still ask for."""
        return len(self._known)

    def __deepcopy__(self, memo: object) -> HostOffload:
        """Copies of a model share the way."""
        return self

    @contextmanager
    def saving(self, weights: Iterable[Tensor]) -> Iterator[None]:
        """Inside, what autograd saves goes to the host, apart from ``weights``."""
        own = list(weights)
        group = _Group(self._last)
        self._last = weakref.ref(group)
        with saved_tensors_hooks(lambda t: self._pack(t, group, own), self._unpack):
            yield
        self._leaving.append(group)
        while len(self._leaving) > self._ahead:
            for stored in _alive(self._leaving.popleft()):
                _wait(stored.copied)
                stored.here = None

    def _pack(self, tensor: Tensor, group: _Group, weights: list[Tensor]) -> Packed:
        storage = tensor.untyped_storage()
        for weight in weights:
            if weight.untyped_storage()._cdata == storage._cdata:
                # By name, not by memory: ranks that share weights only have them while in use.
                return _view(weight, tensor)
        if (
            not tensor.is_floating_point()
            or storage.nbytes() < self._min_bytes
            or any(_is_cast(tensor, weight) for weight in weights)
        ):
            return tensor
        return _view(self._stored(tensor, group), tensor)

    def _stored(self, tensor: Tensor, group: _Group) -> _Stored:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            reference, known = self._known[key]
            if (stored := known()) is not None and not reference.expired():  # type: ignore[no-untyped-call]
                return stored
        stored = self._leave(_bytes(storage, tensor.device), group)
        reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
        self._known[key] = (reference, weakref.ref(stored))
        _at_death(stored, self._forget, key, self._known[key], stored.copied)
        group.stored.append(weakref.ref(stored))
        return stored

    def _leave(self, source: Tensor, group: _Group) -> _Stored:
        self.moved_bytes += source.numel()
        if source.device.type != "cuda":
            return _Stored(group, source.device, source, source.clone(), None)
        out, _ = self._lanes(source.device)
        out.wait_stream(torch.cuda.current_stream(source.device))
        with torch.cuda.stream(out):
            host = torch.empty(source.shape, dtype=torch.uint8, pin_memory=True)
            host.copy_(source, non_blocking=True)
            copied = out.record_event()
        return _Stored(group, source.device, source, host, copied)

    def _unpack(self, packed: Packed) -> Tensor:
        if isinstance(packed, Tensor):
            return packed
        if isinstance(packed.of, Tensor):
            return packed.of.detach().as_strided(packed.size, packed.stride, packed.offset)
        stored = packed.of
        group: _Group | None = stored.group
        for _ in range(1 + self._ahead):
            if group is None:
                break
            for other in _alive(group):
                self._return(other)
            group = group.before() if group.before is not None else None
        _wait(stored.arrived)
        assert stored.here is not None
        empty = torch.empty(0, dtype=packed.dtype, device=stored.device)
        storage = stored.here.untyped_storage()
        return empty.set_(storage, packed.offset, packed.size, packed.stride)

    def _return(self, stored: _Stored) -> None:
        if stored.here is not None:
            return
        if stored.device.type != "cuda":
            stored.here = stored.host.clone()
            return
        _, back = self._lanes(stored.device)
        stored.here = torch.empty_like(stored.host, device=stored.device)
        # The memory may still be in use by what was computed last.
        back.wait_stream(torch.cuda.current_stream(stored.device))
        _wait(stored.copied, back)
        with torch.cuda.stream(back):
            stored.here.copy_(stored.host, non_blocking=True)
            stored.arrived = back.record_event()
        # Nobody may take the memory before the copy has arrived, even if it is not used.
        _at_death(stored, _wait, stored.arrived)

    def _forget(
        self, key: int, entry: tuple[object, object], copied: torch.cuda.Event | None
    ) -> None:
        _wait(copied)
        if self._known.get(key) is entry:
            del self._known[key]

    def _lanes(self, device: torch.device) -> tuple[torch.cuda.Stream, torch.cuda.Stream]:
        if device not in self._streams:
            out, back = (torch.cuda.Stream(device) for _ in range(2))  # type: ignore[no-untyped-call]
            self._streams[device] = (out, back)
        return self._streams[device]


def _at_death(stored: _Stored, call: Callable[..., None], *arguments: object) -> None:
    """``call`` before the memory of ``stored`` is given up; not at the end of the process."""
    weakref.finalize(stored, call, *arguments).atexit = False


def _alive(group: _Group) -> list[_Stored]:
    return [stored for reference in group.stored if (stored := reference()) is not None]


def _wait(event: torch.cuda.Event | None, stream: torch.cuda.Stream | None = None) -> None:
    """Let ``stream`` (the one that computes) go on after ``event``; the host does not wait."""
    if event is not None:
        (stream or torch.cuda.current_stream()).wait_event(event)


def _bytes(storage: torch.UntypedStorage, device: torch.device) -> Tensor:
    return torch.empty(0, dtype=torch.uint8, device=device).set_(
        storage, 0, (storage.nbytes(),), (1,)
    )


def _view(of: _Stored | Tensor, tensor: Tensor) -> _View:
    offset = int(tensor.storage_offset())
    return _View(of, tensor.dtype, tensor.shape, tensor.stride(), offset)


def _is_cast(tensor: Tensor, weight: Tensor) -> bool:
    """Whether ``tensor`` has the shape of a weight in another type, as autocast's copies have."""
    shapes = (weight.shape, weight.shape[::-1])
    return tensor.dtype != weight.dtype and weight.ndim == 2 and tensor.shape in shapes
