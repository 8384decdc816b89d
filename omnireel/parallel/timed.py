"""How long a rank talks: a stopwatch, and the backend of DeepSpeed's collectives under one.

Seconds are those that the host waits. CPU ranks wait for every operation, so theirs are all there
is; GPUs go on while NCCL works, so only starts and explicit waits are seen there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_OPERATIONS = frozenset(
    {
        "all_gather", "all_gather_base", "all_gather_coalesced", "all_gather_into_tensor",
        "all_gather_object", "all_reduce", "all_reduce_coalesced", "all_to_all",
        "all_to_all_single", "barrier", "broadcast", "broadcast_object_list", "gather", "reduce",
        "reduce_scatter", "reduce_scatter_tensor", "scatter",
    }
)  # fmt: skip


class Stopwatch:
    """``with watch:`` adds to ``seconds``; blocks inside each other count once."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._started, self._depth = 0.0, 0

    def __enter__(self) -> None:
        if not self._depth:
            self._started = self._clock()
        self._depth += 1

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.seconds += self._clock() - self._started


class TimedBackend:
    """A communication backend like ``inner``, whose operations (and waits for them) are timed."""

    def __init__(self, inner: Any, watch: Stopwatch) -> None:
        self._inner: Any = inner._inner if isinstance(inner, TimedBackend) else inner
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._timed(found) if name in _OPERATIONS else found

    def _timed(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            with self._watch:
                result = operation(*args, **kwargs)
            return _TimedWork(result, self._watch) if hasattr(result, "wait") else result

        return run


class _TimedWork:
    """An operation under way."""

    def __init__(self, inner: Any, watch: Stopwatch) -> None:
        self._inner, self._watch = inner, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def wait(self, *args: Any) -> Any:
        with self._watch:
            return self._inner.wait(*args)
