"""Where the stages of a curation run: processes of this machine (`local`), or Ray Data (`ray`).

A stage is a picklable recipe for a function from a task to bytes. Both executors call the same
function in a child process of its own (`isolated`), so what kills it is recorded and never spreads.
"""

from omnireel.data.executors.base import Done, Executor, Lost, Stage, Task
from omnireel.data.executors.local import LocalExecutor

__all__ = ["Done", "Executor", "LocalExecutor", "Lost", "Stage", "Task"]
