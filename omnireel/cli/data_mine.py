"""``omnireel data mine``: files that show the same subject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.printing import err
from omnireel.cli.run_output import data_report


def mine(
    folder: Annotated[Path, typer.Argument(help="Folder of clips and images.")],
    out: Annotated[Path, typer.Argument(help="Table to write: .jsonl or .parquet.")],
    embedder: Annotated[
        Path, typer.Option(help="Folder of a trained embedder or of a CLIP-like model.")
    ],
    similarity: Annotated[
        float, typer.Option(help="Minimum cosine similarity of two files that show one subject.")
    ] = 0.8,
    copies: Annotated[
        float, typer.Option(help="Visual distance (0 to 1) below which files count as copies.")
    ] = 0.02,
    references: Annotated[
        Path | None,
        typer.Option(help="Also lay out each clip with its subject's pictures, for data curate."),
    ] = None,
) -> None:
    """Find pairs and groups of clips and images that share a subject and are no copies.

    Vectors are kept beside the table, so that a second run looks only at what is new.

    Example: omnireel data mine my_media subjects.jsonl --embedder /models/siglip
    """
    from omnireel.data.mining.groups import MiningConfig, find_groups, find_pairs
    from omnireel.data.mining.output import check_out, lay_out, rows_of, write_rows
    from omnireel.data.mining.vectors import vectors_of
    from omnireel.embed import open_embedder

    config = MiningConfig(similarity=similarity, copies=copies)
    check_out(out)
    report = data_report()
    kept = out.with_suffix(".vectors.npz")
    vectors = vectors_of(
        folder, open_embedder(embedder), kept, lambda d, t: report("looking at files", d, t)
    )
    for name, why in list(vectors.unread.items())[:5]:
        err().print(f"left out: {name}: {why}", markup=False)
    pairs, same = find_pairs(vectors, config)
    groups = find_groups(vectors, pairs, config)
    write_rows(list(rows_of(vectors, groups, pairs, same)), out)
    typer.echo(
        f"{out}: {len(groups)} groups and {len(pairs)} pairs in {len(vectors.names)} files, "
        f"{len(same)} copies, {len(vectors.unread)} unreadable"
    )
    if references is not None:
        clips = lay_out(folder, vectors, groups, references)
        typer.echo(f"{references}: {clips} clips with references")
