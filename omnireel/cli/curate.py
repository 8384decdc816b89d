"""``omnireel data curate``: raw media -> checked, shuffled training shards, and why."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnireel.cli.gate import write_answer
from omnireel.cli.printing import err
from omnireel.cli.stages import StageBars
from omnireel.errors import InvalidInput

if TYPE_CHECKING:
    from omnireel.data.curate.engine import CurateRequest
    from omnireel.data.executors import Executor


def curate(
    media: Annotated[
        str, typer.Argument(help="Folder, or s3://bucket/prefix?endpoint=http://host:port.")
    ],
    out: Annotated[
        str, typer.Argument(help="Folder of shards, ledger and report to write, or s3://...")
    ],
    policy: Annotated[
        str, typer.Option(help="Name of a policy (standard), or a YAML file.")
    ] = "standard",
    workers: Annotated[
        int, typer.Option(help="Number of processes; 0: one per core.", min=0, max=1024)
    ] = 0,
    ray: Annotated[
        bool,
        # Help is markup: without the backslash the bracket would be a style.
        typer.Option("--ray", help=r"Run the stages on Ray (pip install 'omnireel\[ray]')."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Shuffle seed.")] = 0,
    shard_mib: Annotated[float, typer.Option(help="Size of one shard in MiB.", min=0.01)] = 256.0,
    work: Annotated[
        Path | None, typer.Option(help="Local work folder, when OUT is a bucket.")
    ] = None,
    part: Annotated[
        str, typer.Option(help="Measure only this part of the files into OUT, e.g. 2-of-8.")
    ] = "",
    gather: Annotated[
        Path | None, typer.Option(help="Folder with the OUTs of all parts, to continue from.")
    ] = None,
    answer: Annotated[
        Path | None, typer.Option(help="Write the part to this file when it is done.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Also copy the report to this file.")] = None,
) -> None:
    """Check and split clips and images, drop duplicates, write shards; the same command goes on.

    Captions lie beside the files (clip.mp4, clip.txt) or in captions.csv or captions.jsonl.
    OUT/report.html shows what each check threw out, OUT/ledger.parquet has every verdict.

    Example: omnireel data curate footage curated --policy standard
    """
    from omnireel.cli.data import problems_as_lines
    from omnireel.data.checks import load_policy
    from omnireel.data.curate.bucket_output import work_folder
    from omnireel.data.curate.engine import CurateRequest
    from omnireel.data.executors import LocalExecutor
    from omnireel.data.shards import ShardWriterConfig

    with problems_as_lines():
        chosen = load_policy(policy)
        if chosen.models.unsafe is None:
            err().print("unsafe content is not looked for: the policy names no classifier")
        layout = ShardWriterConfig(seed=seed, shard_bytes=max(1, round(shard_mib * 2**20)))
        bucket = out if "://" in out else ""
        if bucket and (part or gather):
            raise InvalidInput("--part and --gather work with folders", field="out")
        if work and not bucket:
            raise InvalidInput("--work is for an OUT in a bucket", field="work")
        folder = (work or work_folder(bucket)) if bucket else Path(out)
        request = CurateRequest(media, folder, chosen, layout, bucket)
        executor = _ray(workers) if ray else LocalExecutor(workers)
        if part:
            _measure(request, part, executor, answer)
        else:
            _curate_all(request, gather, executor, page)


def _measure(request: CurateRequest, part: str, executor: Executor, answer: Path | None) -> None:
    from omnireel.data.curate.engine import measure_part
    from omnireel.data.overview import count_of

    number, of = _part(part)
    with StageBars() as bars:
        count = measure_part(request, number, of, executor, bars.show)
        typer.echo(f"{request.result}: part {part} measured, {count_of(count, 'file')}")
        if answer is not None:
            write_answer(answer, part)


def _curate_all(
    request: CurateRequest, gather: Path | None, executor: Executor, page: Path | None
) -> None:
    from omnireel.cli.data import say_ignored
    from omnireel.data.curate.engine import curate as run
    from omnireel.data.overview import count_of

    report = request.out / "report.html"
    with StageBars() as bars:
        parts = sorted(path for path in gather.iterdir() if path.is_dir()) if gather else []
        done = run(request, executor, bars.show, parts=parts)
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(report, page)
    say_ignored(done.ignored)
    if done.uncaptioned:
        err().print(
            f"{count_of(done.uncaptioned, 'sample')} without a caption: training needs one; write "
            "captions beside the files, then curate into another folder, or delete "
            f"{request.manifest} first and give this command again",
            markup=False,
        )
    typer.echo(
        f"{request.result}: {done.manifest.num_samples} of "
        f"{count_of(done.samples, 'sample')} kept, in "
        f"{count_of(len(done.manifest.files), 'shard')}; see {report}"
    )


def _part(text: str) -> tuple[int, int]:
    number, between, of = text.partition("-of-")
    if not (between and number.isdigit() and of.isdigit()):
        raise InvalidInput(f"--part is written as 2-of-8, not {text!r}", field="part")
    return int(number), int(of)


def _ray(workers: int) -> Executor:
    """Ray's executor.

    Raises:
        FailedPrecondition: Ray is not installed.

    """
    from omnireel.errors import FailedPrecondition

    try:
        from omnireel.data.executors.ray import RayExecutor
    except ModuleNotFoundError as error:
        raise FailedPrecondition(
            f"--ray needs {error.name}, which is not installed: pip install 'omnireel[ray]'"
        ) from error
    return RayExecutor(workers)
