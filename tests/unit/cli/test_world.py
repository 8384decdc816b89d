from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.world import app, parse_size
from omnireel.errors import InvalidInput
from omnireel.media import DecodeLimits, read_clip, read_image

SMALL = ["--size", "48x32", "--frames", "3", "--fps", "4"]


def test_render_writes_every_file(tmp_path: Path) -> None:
    out = tmp_path / "made"
    arguments = ["render", "--capability", "C12", "--count", "1", "--seed", "7", "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, *SMALL], catch_exceptions=False)
    assert result.exit_code == 0
    folder = out / "C12_000007"
    names = {path.name for path in folder.iterdir()}
    assert names == {"target.mp4", "Video_1.mp4", "Image_1.png", "edit_mask.mp4", "prompt.txt"}
    target = read_clip(folder / "target.mp4", DecodeLimits())
    assert target.frames_THWC.shape == (3, 32, 48, 3)
    assert target.fps == 4.0
    text = (folder / "prompt.txt").read_text()
    assert text.startswith("prompt: ") and "input @Video_1: video, source" in text
    assert read_image(out / "sheet.png", DecodeLimits()).frames_THWC.shape[1] > 300


def test_elements_are_written_image_by_image(tmp_path: Path) -> None:
    arguments = ["render", "--capability", "C2", "--count", "1", "--out", str(tmp_path)]
    CliRunner().invoke(app, [*arguments, *SMALL], catch_exceptions=False)
    pictures = sorted(path.stem[-2:] for path in (tmp_path / "C2_000000").glob("*.png"))
    assert pictures == ["_1", "_2", "_3"]


def test_sheet_shows_the_capabilities_asked_for(tmp_path: Path) -> None:
    sizes = []
    for names in (["C20"], ["C20", "C18"]):
        out = tmp_path / f"{len(names)}.png"
        chosen = [part for name in names for part in ("--capability", name)]
        CliRunner().invoke(app, ["sheet", "--out", str(out), *chosen, *SMALL])
        sizes.append(read_image(out, DecodeLimits()).frames_THWC.shape[1])
    assert sizes[1] > sizes[0]


@pytest.mark.parametrize("text", ["128", "axb", "128x", "-1x5", "128X128", ""])
def test_wrong_sizes_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="WIDTHxHEIGHT"):
        parse_size(text)
