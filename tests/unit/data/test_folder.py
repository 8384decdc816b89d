"""A folder as people bring it: accepted whole, or every mistake named at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnireel.data.folder import FolderConfig, open_folder
from omnireel.data.overview import describe_shards, shard_sheet
from omnireel.data.shards import ShardReader, write_shards
from omnireel.errors import InvalidInput, NotFound, OmnireelError
from omnireel.media import DecodeLimits, write_mp4, write_png
from omnireel.types import MediaKind
from tests.support.footage import texture, write_video
from tests.support.shard_samples import Samples, clip_folder, edit_sample, frames


def test_a_folder_becomes_shards(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clips", 2)
    (folder / "more").mkdir()
    write_png(frames(9, 1).frames_THWC, folder / "more" / "still.png")
    (folder / "more" / "still.txt").write_text("a still ball; write to a@@b")
    (folder / "notes.md").write_text("mine")
    (folder / ".hidden").mkdir()
    write_mp4(frames(), folder / ".hidden" / "x.mp4")
    source = open_folder(folder)
    assert source.ignored == ("notes.md",) and len(source) == 3
    write_shards(tmp_path / "out", source)
    samples = {s.key: s for _, s in ShardReader(tmp_path / "out").samples()}
    assert sorted(samples) == ["clip_0.mp4", "clip_1.mp4", "more/still.png"]
    still = samples["more/still.png"]
    assert still.target.kind is MediaKind.IMAGE and still.prompt.parts[0].text.endswith("a@b")
    clip = samples["clip_1.mp4"]
    assert clip.text == "a red ball rolls, take 1"
    assert clip.target.data == (folder / "clip_1.mp4").read_bytes()
    assert clip.lineage["decoded"] == {"num_frames": 17, "fps": 8.0}


@pytest.mark.parametrize("table", ["captions.csv", "captions.jsonl"])
def test_a_table_gives_the_captions(tmp_path: Path, table: str) -> None:
    folder = clip_folder(tmp_path, 2)
    rows = {"clip_0.mp4": 'a "red" ball, rolling', "./clip_1.mp4": "ein Ball, schön"}
    for path in folder.glob("*.txt"):
        path.unlink()
    if table.endswith("csv"):
        text = "file,caption,mine\n"
        text += "".join(
            f'{name},"{c.replace(chr(34), 2 * chr(34))}",1\n' for name, c in rows.items()
        )
    else:
        text = "\n\n".join(json.dumps({"file": n, "caption": c}) for n, c in rows.items())
    (folder / table).write_text(text, encoding="utf-8-sig")
    source = open_folder(folder)
    assert {key: source.load(key).text for key in source.contents()} == {
        "clip_0.mp4": rows["clip_0.mp4"],
        "clip_1.mp4": rows["./clip_1.mp4"],
    }
    assert source.load("clip_0.mp4").lineage["caption"] == f"{table}:{2 if 'csv' in table else 1}"


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path, 8)
    (folder / "clip_0.txt").unlink()
    (folder / "clip_1.txt").write_text(" \n")
    (folder / "clip_2.txt").write_text("watch @Somebody")
    (folder / "clip_3.mp4").write_bytes((folder / "clip_3.mp4").read_bytes()[:700])
    (folder / "clip_4.mp4").write_bytes(b"")
    write_mp4(frames(count=2), folder / "clip_5.mp4")
    write_mp4(frames(height=16), folder / "clip_6.mp4")
    (folder / "captions.csv").write_text(
        "file,caption\nclip_7.mp4,again\nlost.mp4,a ball\nclip_7.mp4,x\n"
    )
    with pytest.raises(InvalidInput) as caught:
        open_folder(folder)
    found = {v.field: v.description for v in caught.value.violations}
    assert found.pop("captions.csv:4").endswith("has a caption above already")
    expected = {
        "clip_0.mp4": "write one into clip_0.txt",
        "clip_1.mp4": "is empty",
        "clip_2.mp4": "Somebody",
        "clip_3.mp4": "cannot be decoded",
        "clip_4.mp4": "0 bytes",
        "clip_5.mp4": "lasts 0.25 s; the minimum is 0.7 s",
        "clip_6.mp4": "48x16 pixels; the minimum is 32",
        "clip_7.mp4": "keep one",
        "captions.csv:3": "no file lost.mp4",
    }
    assert found.keys() == expected.keys()
    assert all(expected[name] in text for name, text in found.items())
    assert "10 things are wrong, nothing was written" in str(caught.value)
    assert "and 5 more" in str(caught.value)


def test_a_caption_may_hold_any_line_break_that_json_allows(tmp_path: Path) -> None:
    clip_folder(tmp_path, 1)
    (tmp_path / "clip_0.txt").unlink()
    (tmp_path / "captions.jsonl").write_text(
        '{"file": "clip_0.mp4", "caption": "a ball\u2028rolls"}\n', encoding="utf-8"
    )
    assert open_folder(tmp_path).load("clip_0.mp4").text == "a ball\u2028rolls"


@pytest.mark.parametrize("suffix", ["avi", "ts", "m4v"])
def test_every_format_of_clips_is_taken(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == "avi" else "libx264"
    write_video(tmp_path / f"clip.{suffix}", texture(0), codec=codec)
    (tmp_path / "clip.txt").write_text("a disc moves")
    source = open_folder(tmp_path)
    assert (source.contents().keys(), source.ignored) == ({f"clip.{suffix}"}, ())


@pytest.mark.parametrize(
    ("table", "text", "wrong"),
    [
        ("captions.csv", "name,text\na,b\n", "columns file and caption"),
        ("captions.csv", "", "columns file and caption"),
        ("captions.csv", 'file,caption\n"a,b\n', "not valid CSV"),
        ("captions.csv", "file,caption\nclip_0.mp4\n", "needs a text 'file'"),
        ("captions.jsonl", "{\n", "line 1 is not valid JSON"),
        ("captions.jsonl", '["a"]\n', "needs a text 'file'"),
        ("captions.jsonl", '{"file": 3, "caption": "a"}\n', "needs a text 'file'"),
    ],
)
def test_wrong_tables_are_explained(tmp_path: Path, table: str, text: str, wrong: str) -> None:
    (clip_folder(tmp_path, 1) / table).write_text(text)
    with pytest.raises(InvalidInput) as caught:
        open_folder(tmp_path)
    assert any(
        v.field.startswith(table) and wrong in v.description for v in caught.value.violations
    )


def test_two_tables_and_shared_texts_are_ambiguous(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path, 1)
    write_png(frames(1, 1).frames_THWC, folder / "clip_0.png")
    (folder / "captions.csv").write_text("file,caption\n")
    (folder / "captions.jsonl").write_text("")
    (folder / "latin.txt").write_bytes(b"\xff")
    write_mp4(frames(), folder / "latin.mp4")
    with pytest.raises(InvalidInput) as caught:
        open_folder(folder)
    found = {v.field: v.description for v in caught.value.violations}
    assert "keep one of them" in found["captions.jsonl"]
    assert "is ambiguous" in found["clip_0.png"] and "is ambiguous" in found["clip_0.mp4"]
    assert "not UTF-8" in found["latin.mp4"]


def test_no_folder_and_no_media(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder"):
        open_folder(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_text("a ball")
    with pytest.raises(InvalidInput, match="no clips or images"):
        open_folder(tmp_path)


def test_decoding_is_bounded(tmp_path: Path) -> None:
    clip_folder(tmp_path, 1)
    with pytest.raises(InvalidInput, match="more than 5 frames"):
        open_folder(tmp_path, FolderConfig(limits=DecodeLimits(max_frames=5)))


def test_a_file_that_changes_after_the_check_is_refused(tmp_path: Path) -> None:
    source = open_folder(clip_folder(tmp_path, 1))
    write_mp4(frames(7), tmp_path / "clip_0.mp4")
    with pytest.raises(InvalidInput, match="changed while it was being packed"):
        source.load("clip_0.mp4")


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200), st.sampled_from(["captions.csv", "captions.jsonl", "clip_0.txt"]))
def test_any_bytes_for_captions_work_or_are_product_errors(
    tmp_path: Path, data: bytes, name: str
) -> None:
    folder = tmp_path / "clips"
    if not folder.exists():
        clip_folder(folder, 1)
        (folder / "clip_0.txt").unlink()
    (folder / name).write_bytes(data)
    try:
        source = open_folder(folder)
        assert source.load("clip_0.mp4").prompt.text.strip()
    except OmnireelError as error:
        assert error.message
    finally:
        (folder / name).unlink()


def test_shards_can_be_looked_at(tmp_path: Path) -> None:
    write_shards(tmp_path, Samples([edit_sample("a"), edit_sample("b")]), made_by={"by": "me"})
    reader = ShardReader(tmp_path)
    lines = describe_shards(reader)
    assert "2 samples in 1 shard," in lines[0] and "C21 2" in lines[1] and "by: me" in lines
    one, two = shard_sheet(reader, 0, 1), shard_sheet(reader)
    assert two.shape[0] == 1 and two.shape[1] > one.shape[1] > 4 * 96
    with pytest.raises(InvalidInput, match="at least one row"):
        shard_sheet(reader, 2)
