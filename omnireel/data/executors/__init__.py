"""Where the stages of a curation run: processes of this machine (`local`).

A stage is a picklable recipe for a function from a task to bytes. An executor calls it in a child
process of its own (`isolated`), so what kills it is recorded and never spreads.
"""

from omnireel.data.executors.base import Done, Executor, Lost, Stage, Task
from omnireel.data.executors.local import LocalExecutor

__all__ = ["Done", "Executor", "LocalExecutor", "Lost", "Stage", "Task"]
