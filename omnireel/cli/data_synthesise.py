"""``omnireel data synthesise``: new samples from clips, and from the world."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.printing import err
from omnireel.cli.run_output import data_report
from omnireel.errors import InvalidInput


def synthesise(
    out: Annotated[Path, typer.Argument(help="Folder to write, for data curate.")],
    clips: Annotated[
        Path | None, typer.Option("--from", help="Folder of captioned clips to derive from.")
    ] = None,
    kinds: Annotated[
        str,
        typer.Option(
            help="Kinds of samples, from add, element, scene, recolor, restyle, first, ends, "
            "sketch (the clip is the target) and remove (the clip is the source)."
        ),
    ] = "add,element,scene,recolor,restyle,first,ends,sketch,remove",
    expert: Annotated[
        Path | None, typer.Option(help="Python file with open_expert(), a model that edits clips.")
    ] = None,
    instruction: Annotated[
        list[str] | None,
        typer.Option(help="Instruction for the expert, applied to every clip (repeatable)."),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="Licence of the clips, stored with each sample.")
    ] = "",
    world: Annotated[
        str, typer.Option(help="Render tasks of the world instead: capabilities, e.g. C2,C8.")
    ] = "",
    count: Annotated[int, typer.Option(min=1, help="Samples per capability.")] = 8,
    size: Annotated[str, typer.Option(help="Size of rendered samples, WIDTHxHEIGHT.")] = "128x128",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first rendered sample.")] = 0,
) -> None:
    """Make edit and multi-reference samples; the same command goes on when interrupted.

    Example: omnireel data synthesise derived --from my_clips --licence CC-BY-4.0
    """
    from omnireel.cli.world import parse_size
    from omnireel.data.synthesis.expert import load_expert
    from omnireel.data.synthesis.folder import SynthesisConfig, render_samples
    from omnireel.data.synthesis.folder import synthesise as derive
    from omnireel.types import VideoFormat

    if (clips is None) == (not world):
        raise InvalidInput("give either --from FOLDER or --world C2,C8", field="from")
    show = data_report()

    def report(done: int, total: int) -> None:
        show("making samples", done, total)

    if clips is None:
        names = tuple(world.replace(" ", "").split(","))
        found = render_samples(
            out, names, count, VideoFormat(*parse_size(size), 17, 8.0), seed, report
        )
    else:
        config = SynthesisConfig(
            tuple(kinds.replace(" ", "").split(",")), tuple(instruction or ()), licence
        )
        model = load_expert(expert) if expert or instruction else None
        found = derive(clips, out, config, model, report)
    for name, why in list(found.left_out.items())[:5]:
        err().print(f"{name}: {why}", markup=False)
    typer.echo(f"{out}: {found.made} samples, {len(found.left_out)} clips gave fewer or none")
