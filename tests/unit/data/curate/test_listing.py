"""Captions, companions, licences: found by their names, refused when they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.data.curate.inputs import FolderInputs
from omnireel.data.curate.listing import Listing, list_items
from omnireel.data.curate.packing import capability_of
from omnireel.errors import InvalidInput
from omnireel.types import MediaKind, Role


def folder(root: Path, *names: str, **texts: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    for name, text in texts.items():
        (root / name.replace("__", ".")).write_text(text)
    return root


def listed(root: Path) -> Listing:
    return list_items(FolderInputs(root), "media")


def problems(root: Path) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        listed(root)
    return {v.field: v.description for v in caught.value.violations}


def test_companions_go_with_their_clip(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        "a.mp4",
        "a.source.mp4",
        "a.element-Hero.2.png",
        "a.element-Hero.1.png",
        "b.mp4",
        "b.first_frame.png",
        ".hidden/c.mp4",
        a__txt="@Hero replaces the ball in @Source",
    )
    items = listed(root).items
    assert items.keys() == {"a.mp4", "b.mp4"}
    given = [(c.name, c.role, c.entry.name) for c in items["a.mp4"].companions]
    assert given[-2:] == [
        ("Hero", Role.ELEMENT, "a.element-Hero.1.png"),
        ("Hero", Role.ELEMENT, "a.element-Hero.2.png"),
    ]
    assert ("Source", Role.SOURCE, "a.source.mp4") in given
    assert items["a.mp4"].companions[-1].kind is MediaKind.IMAGE
    assert capability_of(items["a.mp4"]) == "C12"
    assert capability_of(items["b.mp4"]) == "C18"
    assert items["b.mp4"].companions[0].name == "FirstFrame"


def test_licences_by_file_folder_and_all(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        "x/a.mp4",
        "x/b.mp4",
        "c.mp4",
        sources__csv="file,licence,source\n*,own,me\nx/,CC0,archive\nx/b.mp4,CC-BY,someone\n",
    )
    found = {name: (item.licence, item.source) for name, item in listed(root).items.items()}
    assert found == {
        "c.mp4": ("own", "me"),
        "x/a.mp4": ("CC0", "archive"),
        "x/b.mp4": ("CC-BY", "someone"),
    }


def test_what_does_not_fit_is_named_all_at_once(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        "a.mp4",
        "lost.source.mp4",
        "b.mp4",
        "b.png",
        "b.element-Hero.png",
        "d.mp4",
        "d.reference-Mug.png",
        captions__csv="file,caption\ngone.mp4,words\na.mp4,\n",
        d__txt="a mug",
        sources__csv="file,licence,source\nnope.mp4,CC0,\na.mp4,CC0,\na.mp4,mine,\n",
    )
    found = problems(root)
    assert "is not there" in found["lost.source.mp4"]
    assert "could be b.mp4 or b.png" in found["b.element-Hero.png"]
    assert found["captions.csv:2"] == "there is no file gone.mp4"
    assert "is empty" in found["a.mp4"]
    assert "Mug" in found["d.mp4"]
    assert "no file 'nope.mp4'" in found["sources.csv:2"]
    assert found["sources.csv:4"] == "a.mp4 has a row above already; keep one"


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no clips or images"):
        listed(folder(tmp_path, "notes.md"))
