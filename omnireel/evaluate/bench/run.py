"""All cases of a run, in worker processes. Run again, it goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from omnireel.errors import AlreadyExists, FailedPrecondition, NotFound
from omnireel.evaluate.bench.case_run import CASES, CLIPS, Model, prepare_process, run_case
from omnireel.evaluate.bench.suite import FORMAT, VERSION, BenchCase, index_sha256
from omnireel.evaluate.records import damaged, read_finished
from omnireel.evaluate.scorer import current_scorer, scorer_in
from omnireel.files import atomic_write
from omnireel.generate import GenerationSettings
from omnireel.generate.components import (
    check_latent_space,
    model_limits,
    sampling_defaults,
    weights_sha256,
)
from omnireel.processes import Report, build_missing
from omnireel.registry import load_component, verify
from omnireel.shipped import SHIPPED_TINY

MANIFEST = "manifest.json"
_BENCH = ("version", "index")
_MODEL = ("generator", "vae", "num_inference_steps", "words", "seed")
"""What whoever reads a manifest relies on."""
_RECORD = ("id", "capability", "split", "tags", "prompt", "trained", "evaluations", "answers",
           "clips", "cost")  # fmt: skip


def describe(model: Model) -> dict[str, Any]:
    """What decides the scores: weights by hash, sampling, benchmark, oracles and their version.

    Raises:
        InvalidInput: the generator cannot make the cases, or belongs to another autoencoder.

    """
    component = load_component(model.generator, kind="generator")
    limits, defaults = model_limits(component), sampling_defaults(component)
    check_latent_space(component, model.vae)
    limits.check(GenerationSettings(FORMAT, 0, model.num_inference_steps, defaults.guidance))
    vae = load_component(model.vae, kind="vae")
    return {
        "bench": {"version": VERSION, "index": index_sha256()},
        "model": {
            "generator": weights_sha256(component),
            "vae": weights_sha256(vae),
            "num_inference_steps": model.num_inference_steps,
            "guidance": asdict(defaults.guidance),
            "words": model.words,
            "enhancer": _hash(SHIPPED_TINY / "enhancer") if model.words == "enhanced" else "",
            "seed": model.seed,
            "capabilities": sorted(limits.capabilities, key=lambda name: int(name[1:])),
        },
        **current_scorer(),
    }


def _hash(folder: Path) -> str:
    return str(verify(folder)["sha256"]["model.safetensors"])


def default_steps(generator: Path) -> int:
    """Denoising steps that a generator takes when nobody says."""
    component = load_component(generator, kind="generator")
    return sampling_defaults(component).num_inference_steps


def run_bench(
    model: Model,
    cases: Sequence[BenchCase],
    folder: Path,
    *,
    workers: int = 2,
    report: Report | None = None,
) -> None:
    """Make the missing records of ``cases`` in ``folder``.

    Args:
        model: the system.
        cases: of :func:`omnireel.evaluate.bench.suite.chosen`.
        folder: of the run; made when absent.
        workers: processes with one thread each; 0: this process.
        report: told finished and all cases.

    Raises:
        AlreadyExists: the folder holds results of another model, benchmark or setting.
        FailedPrecondition: a finished record is damaged, or lacks a clip.

    """
    content = describe(model)
    for part in ("", CASES, CLIPS):
        (folder / part).mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        _check_same(folder, content)
    else:
        atomic_write(folder / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())
    for record in read_records(folder, cases):
        for clip in record["clips"]:
            clip_path(folder, record, clip)
    paths = [folder / CASES / f"{case.id}.json" for case in cases]
    make = partial(run_case, model, folder)
    build_missing(make, paths, workers=workers, report=report, first=prepare_process)


def _check_same(folder: Path, content: dict[str, Any]) -> None:
    found = read_manifest(folder)
    if found == json.loads(json.dumps(content)):
        return
    old, new = ({**m["model"], **m["bench"], **scorer_in(m)} for m in (found, content))
    names = ", ".join(name for name in new if old.get(name) != new[name])
    raise AlreadyExists(
        f"{folder} holds results with another {names}; choose another --out, or remove the folder"
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the results in a folder were made with.

    Raises:
        NotFound: there are none.
        FailedPrecondition: the file is damaged.

    """
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFound(f"there are no results of OmniBench in {folder}; make them with --out")
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        itemgetter(*_BENCH)(data["bench"])
        itemgetter(*_MODEL)(data["model"])
        str(data["oracles"])
    except (ValueError, KeyError, TypeError) as error:
        raise FailedPrecondition(
            f"{path} is damaged ({error!r}); remove the folder and make the run again"
        ) from error
    return data


def read_records(folder: Path, cases: Sequence[BenchCase] | None = None) -> list[dict[str, Any]]:
    """The finished records, in the order of ``cases``, or of their names.

    Raises:
        FailedPrecondition: one is damaged.

    """
    root = folder / CASES
    paths = sorted(root.glob("*.json")) if cases is None else [root / f"{c.id}.json" for c in cases]
    return read_finished(paths, _RECORD)


def clip_path(folder: Path, record: Mapping[str, Any], clip: Mapping[str, Any]) -> Path:
    """Where a clip of a record in the folder of a run lies.

    Raises:
        FailedPrecondition: it is not there.

    """
    path: Path = folder / CLIPS / clip["file"]
    if not path.is_file():
        raise lost_clip(folder, record, clip, "there is no such file")
    return path


def lost_clip(
    folder: Path, record: Mapping[str, Any], clip: Mapping[str, Any], why: str
) -> FailedPrecondition:
    """That a clip of a record cannot be shown."""
    return damaged(folder / CLIPS / clip["file"], folder / CASES / f"{record['id']}.json", why)
