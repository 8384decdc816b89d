"""From raw media to training shards, every verdict on record.

1. `listing`: files, captions, companions, licences. Whatever does not fit together is refused here.
2. Copies of the same bytes are set aside (`duplicates`).
3. `measure`, in worker processes: each file in one pass, all checks of tiers 1 and 2 (`reading`).
4. Of those that pass, near-duplicates go but for the best.
5. `judge`, in worker processes: tier 3, for those that are left.
6. `cut`, in worker processes: shots become clips of their own.
7. Ledger, report, shards; the manifest comes last, so a folder without one is not done.

Steps 3, 5 and 6 keep every result in `state` as it comes; the same command goes on there. All that
is written is made of those results in the order of names, so it does not depend on interruptions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from omnireel.data.curate.bucket_output import BucketOutput
from omnireel.data.curate.choosing import Chooser
from omnireel.data.curate.inputs import open_inputs
from omnireel.data.curate.listing import list_items
from omnireel.data.curate.outcome import Curated, write_outcome
from omnireel.data.curate.request import CurateRequest
from omnireel.data.curate.state import PART, open_state
from omnireel.data.curate.steps import Progress, Steps
from omnireel.data.executors import Executor, LocalExecutor
from omnireel.errors import InvalidInput

__all__ = ["CurateRequest", "Curated", "Progress", "curate", "measure_part"]


def curate(
    request: CurateRequest,
    executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
    *,
    parts: Sequence[Path] = (),
) -> Curated:
    """Curate, or go on with it; ``parts`` are folders of :func:`measure_part`, not made again.

    Raises:
        InvalidInput, NotFound: the input is empty, missing, or does not fit together.
        AlreadyExists: ``out`` or a part holds other things, or work of another policy or input.
        FailedPrecondition: another process works on ``out``; or no sample passed, and ledger and
            report say why.
        Unavailable, ResourceExhausted: a store or a disk gave out; the same command goes on.

    """
    request.check_apart()
    inputs = open_inputs(request.address)
    listing = list_items(inputs, request.address)
    plan = request.plan()
    bucket = BucketOutput(request.send_to, request.out) if request.send_to else None
    with ExitStack() as stack:
        if bucket:
            stack.enter_context(bucket.claimed(plan))
        state = stack.enter_context(open_state(request.out, plan))
        for folder in parts:
            state.take(folder, plan)
        show = stack.enter_context(bucket.saving(state, progress)) if bucket else progress
        steps = Steps(request, inputs, listing, state, executor or LocalExecutor(), show)
        copies = steps.same_bytes()
        steps.measure(copies)
        chooser = Chooser(request.policy, listing, copies, steps.record)
        chooser.near_copies()
        steps.judge(chooser)
        done = write_outcome(steps, chooser, steps.cut(chooser))
        if bucket:
            bucket.send(progress)
        return done


def measure_part(
    request: CurateRequest,
    number: int,
    of: int,
    executor: Executor | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> int:
    """Step 3 for one of ``of`` parts of the files (by their names), into a folder of its own.

    The rest compares samples with each other, and is done when all parts are gathered.

    Returns:
        How many files the part has.

    Raises:
        As :func:`curate`; InvalidInput: there is no such part.

    """
    if not 1 <= number <= of:
        raise InvalidInput(f"there is no part {number} of {of}", field="part")
    request.check_apart()
    inputs = open_inputs(request.address)
    listing = list_items(inputs, request.address)
    others = {name: "" for name in listing.items if _part_of(name, of) != number}
    with open_state(request.out, {**request.plan(), PART: f"{number}-of-{of}"}) as state:
        steps = Steps(request, inputs, listing, state, executor or LocalExecutor(), progress)
        steps.measure(others)
    return len(listing.items) - len(others)


def _part_of(name: str, of: int) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) % of + 1
