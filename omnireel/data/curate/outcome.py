"""The end of a curation: ledger, report, shards; the manifest comes last."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnireel.data.curate.choosing import Chooser
from omnireel.data.curate.ledger import LEDGER, TIMES, row_of, write_rows, write_times
from omnireel.data.curate.packing import CuratedSource, Kept
from omnireel.data.curate.report import REPORT, Report
from omnireel.data.curate.request import CurateRequest
from omnireel.data.curate.state import WORK
from omnireel.data.curate.steps import CLIPS, Steps
from omnireel.data.shards import Manifest, write_shards
from omnireel.data.shards.manifest import MANIFEST, read_manifest
from omnireel.errors import AlreadyExists, FailedPrecondition
from omnireel.files import atomic_write, disk_errors
from omnireel.store.chunks import sha256_of


@dataclass(frozen=True)
class Curated:
    """How it ended."""

    manifest: Manifest
    samples: int
    """All, whatever became of them."""
    ignored: tuple[str, ...]
    uncaptioned: int


def write_outcome(steps: Steps, chooser: Chooser, kept: Mapping[str, Kept]) -> Curated:
    """Write what a curation leaves.

    Raises:
        AlreadyExists: the folder holds finished shards of something else.
        FailedPrecondition: there is no sample to write.

    """
    out, policy = steps.request.out, steps.request.policy
    report = Report(policy, steps.strip)
    count = {"samples": 0}

    def rows() -> Iterator[dict[str, Any]]:
        for name, shot, verdicts in chooser.verdicts():
            count["samples"] += 1
            report.add(name, shot, verdicts)
            yield from (row_of(verdict) for verdict in verdicts)

    with disk_errors(out), tempfile.TemporaryDirectory(dir=out / WORK) as folder:
        ledger = Path(folder, LEDGER)
        write_rows(ledger, rows())
        made_by = {
            "policy": policy.name,
            "policy_sha256": policy.digest(),
            "input": steps.request.place.rpartition("/")[2],
            "ledger_sha256": sha256_of(ledger),
        }
        if (out / MANIFEST).is_file():
            if dict(read_manifest(out).made_by) != made_by:
                raise _of_others(steps.request)
        else:
            write_times(out / TIMES, steps.state.times())
            ledger.replace(out / LEDGER)
            atomic_write(out / REPORT, report.page(len(kept), count["samples"]).encode())
    if not kept:
        raise FailedPrecondition(
            f"none of {count['samples']} samples passed the policy {policy.name}; "
            f"{out / REPORT} shows why",
            reason="NOTHING_KEPT",
        )
    source = CuratedSource(steps.inputs, kept, _scores(chooser), policy.digest())
    try:
        manifest = write_shards(
            out,
            source,
            steps.request.shards,
            made_by=made_by,
            report=lambda done, total: steps.progress("packing samples", done, total),
        )
    except AlreadyExists as error:
        raise _of_others(steps.request) from error
    shutil.rmtree(out / WORK / CLIPS, ignore_errors=True)
    uncaptioned = sum(not one.item.caption.text for one in kept.values())
    return Curated(manifest, count["samples"], steps.listing.ignored, uncaptioned)


def _scores(chooser: Chooser) -> Callable[[Kept], Mapping[str, Any]]:
    """What every check said of a sample."""

    def scores(kept: Kept) -> Mapping[str, Any]:
        verdicts = chooser.of(kept.key)
        return {v.check: v.outcome.value if v.score is None else v.score for v in verdicts}

    return scores


def _of_others(request: CurateRequest) -> AlreadyExists:
    return AlreadyExists(
        f"{request.result} holds the finished shards of other files, captions or verdicts; choose "
        f"another place, or delete {request.manifest} to have them written anew"
    )
