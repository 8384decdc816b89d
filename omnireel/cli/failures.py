"""``omnireel eval failures``: what a component fails at, as one small picture or table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnireel.cli.printing import out
from omnireel.shipped import located, portable

if TYPE_CHECKING:
    from omnireel.evaluate.failures import Failures

_AMONG = 48
"""Cases that are looked at where there is no run of OmniBench."""


def failures(
    component: Annotated[
        Path, typer.Argument(help="Component folder: a generator, vae, upscaler or enhancer.")
    ],
    bench: Annotated[
        Path, typer.Option(help="Run of OmniBench with this generator ('omnireel eval bench').")
    ] = Path("out/bench"),
    count: Annotated[int, typer.Option(min=1, max=12, help="Number of cases to show.")] = 5,
    vae: Annotated[
        Path | None, typer.Option(help="Autoencoder for an upscaler; default: the one beside it.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--out", help="Write the picture here (file.png); an enhancer has none."),
    ] = None,
    record: Annotated[
        bool,
        typer.Option("--record", help="Save the failures beside the component and in its card."),
    ] = False,
) -> None:
    """Find the worst cases of a component and show them: what it was given, the truth, its answer.

    Example: omnireel eval failures omnireel/weights/tiny/vae --out worst.png
    """
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.failures import failures_png, record_failures
    from omnireel.files import atomic_write
    from omnireel.registry import verify

    folder = located(component)
    kind = verify(folder)["kind"]
    if picture is not None and kind == "enhancer":
        raise InvalidInput(
            "failures of an enhancer are words, a table without a picture; leave --out out",
            field="out",
        )
    found = _find(kind, folder, bench, vae or folder.parent / "vae", count)
    out().print(found.summary, markup=False)
    for line in found.table:
        out().print(" | ".join(line), markup=False)
    if picture is not None:
        picture.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(picture, failures_png(found))
        out().print(str(picture.resolve()))
    if record:
        of_run = f" --bench {bench}" if kind == "generator" else ""
        command = f"omnireel eval failures {portable(folder)} --count {count}{of_run}"
        out().print(str(record_failures(folder, found, command)))


def _find(kind: str, folder: Path, bench: Path, vae: Path, count: int) -> Failures:
    from omnireel.errors import InvalidInput
    from omnireel.evaluate.cases import CaseConfig

    if kind == "generator":
        from omnireel.evaluate.failures.generated import worst_generated

        return worst_generated(folder, bench, count)
    if kind == "vae":
        from omnireel.evaluate.failures.decoded import worst_decoded

        return worst_decoded(folder, count, CaseConfig(("C20",), _AMONG, held_out_share=0.0))
    if kind == "upscaler":
        from omnireel.evaluate.failures.enlarged import worst_enlarged

        config = CaseConfig(("C20",), _AMONG // 2, held_out_share=0.0)
        return worst_enlarged(folder, vae, count, config)
    if kind == "enhancer":
        from omnireel.evaluate.failures.worded import worst_worded

        return worst_worded(folder, count)
    raise InvalidInput(
        f"{folder} is of kind {kind}; failures can be found for a generator, vae, upscaler or "
        "enhancer",
        field="component",
    )
