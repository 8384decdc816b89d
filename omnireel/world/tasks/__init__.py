"""Tasks of the capability table with exact inputs, prompts, targets and edit masks.

Read in this order: `sample` (what comes out), `plan` (what a task is before rendering), one file
of `groups`, `realise` (plan to sample), `catalog` (all of them), `mix` (many at once).
"""

from omnireel.world.tasks.catalog import CAPABILITIES, draw_plan, sample_task
from omnireel.world.tasks.mix import TaskMix, sample_mixed
from omnireel.world.tasks.sample import TaskSample

__all__ = ["CAPABILITIES", "TaskMix", "TaskSample", "draw_plan", "sample_mixed", "sample_task"]
