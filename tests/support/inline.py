"""An executor without processes, for tests of what the stages do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omnireel.data.executors import Done, Lost, Stage, Task


class Inline:
    """Runs every task where it is called; ``stop_after`` of them it is interrupted."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.ran: list[tuple[str, str]] = []
        self._left = stop_after

    def run(self, stage: Stage, tasks: Iterable[Task]) -> Iterator[Done | Lost]:
        function = None
        for task in tasks:
            if self._left == 0:
                raise KeyboardInterrupt
            if self._left is not None:
                self._left -= 1
            function = function or stage.make()
            self.ran.append((stage.name, task.key))
            yield Done(task.key, function(task.value, lambda: None), 0.5)
