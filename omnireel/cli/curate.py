"""``omnireel data curate``: raw media -> checked, shuffled training shards, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnireel.cli.printing import err
from omnireel.cli.stages import StageBars

if TYPE_CHECKING:
    from omnireel.data.executors import Executor


def curate(
    media: Annotated[
        str, typer.Argument(help="Folder, or s3://bucket/prefix?endpoint=http://host:port.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of shards, ledger and report to write.")],
    policy: Annotated[
        str, typer.Option(help="Name of a policy (standard), or a YAML file.")
    ] = "standard",
    workers: Annotated[
        int, typer.Option(help="Processes; 0: one for each core.", min=0, max=1024)
    ] = 0,
    ray: Annotated[
        bool, typer.Option("--ray", help="Run the stages on Ray (pip install 'omnireel[ray]').")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the order of the samples.")] = 0,
    shard_mib: Annotated[float, typer.Option(help="Size of one shard in MiB.", min=0.01)] = 256.0,
) -> None:
    """Check and split clips and images, drop duplicates, write shards; the same command goes on.

    Captions lie beside the files (clip.mp4, clip.txt) or in captions.csv or captions.jsonl.
    OUT/report.html shows what each check threw out, OUT/ledger.parquet has every verdict.

    Example: omnireel data curate footage curated --policy standard
    """
    from omnireel.cli.data import problems_as_lines, say_ignored
    from omnireel.data.checks import load_policy
    from omnireel.data.curate.engine import CurateRequest
    from omnireel.data.curate.engine import curate as run
    from omnireel.data.executors import LocalExecutor
    from omnireel.data.overview import count_of
    from omnireel.data.shards import ShardWriterConfig

    with problems_as_lines():
        chosen = load_policy(policy)
        if chosen.models.unsafe is None:
            err().print("unsafe content is not looked for: the policy names no classifier")
        layout = ShardWriterConfig(seed=seed, shard_bytes=max(1, round(shard_mib * 2**20)))
        request = CurateRequest(media, out, chosen, layout)
        with StageBars() as bars:
            done = run(request, _ray(workers) if ray else LocalExecutor(workers), bars.show)
    say_ignored(done.ignored)
    if done.uncaptioned:
        err().print(
            f"{count_of(done.uncaptioned, 'sample')} without a caption: training needs one; write "
            "captions beside the files and curate again",
        )
    typer.echo(
        f"{out}: {done.manifest.num_samples} of {count_of(done.samples, 'sample')} kept, in "
        f"{count_of(len(done.manifest.files), 'shard')}; see {out / 'report.html'}"
    )


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
