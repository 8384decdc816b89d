"""Pairs and groups of one subject, without copies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from omnireel.data.mining.groups import MiningConfig, SubjectGroup, find_groups, find_pairs, nearest
from omnireel.data.mining.output import lay_out, rows_of, write_rows
from omnireel.data.mining.vectors import F32, Vectors, vectors_of
from omnireel.embed import EditAgreement
from omnireel.errors import AlreadyExists, InvalidInput
from omnireel.media import write_mp4, write_png
from omnireel.types import Clip, Frames


class ByBrightness:
    """An embedder that tells subjects by how bright they are, in three classes."""

    name = "by-brightness"

    def __init__(self) -> None:
        self.asked = 0

    def embed_subjects(self, clips: Sequence[Frames]) -> F32:
        self.asked += len(clips)
        return np.eye(3, dtype=np.float32)[[min(2, int(clip.mean() // 86)) for clip in clips]]

    embed_clips = embed_subjects

    def embed_texts(self, texts: Sequence[str]) -> F32:
        raise NotImplementedError

    def agreement(self, clip: Frames, texts: Sequence[str]) -> F32:
        raise NotImplementedError

    def appearance(self, reference: Frames, clip: Frames) -> float:
        raise NotImplementedError

    def edit(self, source: Frames, result: Frames, instruction: str) -> EditAgreement:
        raise NotImplementedError


def pattern(level: int, seed: int, count: int = 4) -> Frames:
    rng = np.random.default_rng(seed)
    one = rng.integers(level - 20, level + 20, (1, 8, 8, 3)).repeat(4, 1).repeat(4, 2)
    return one.repeat(count, 0).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    media = tmp_path / "media"
    media.mkdir()
    for name, level in (("dark", 40), ("mid", 130), ("light", 215)):
        write_mp4(Clip(pattern(level, level), 8.0), media / f"{name}.mp4")
        write_mp4(Clip(pattern(level, level + 1), 8.0), media / f"{name}2.mp4")
    write_png(pattern(40, 7, 1), media / "picture.png")
    (media / "again.mp4").write_bytes((media / "mid.mp4").read_bytes())
    (media / "broken.mp4").write_bytes(b"no clip")
    (media / "dark.txt").write_text("Something dark.")
    return media


def mined(folder: Path, tmp_path: Path, embedder: ByBrightness) -> Vectors:
    return vectors_of(folder, embedder, tmp_path / "kept.npz")


def test_files_of_one_subject_are_found_and_copies_are_not_pairs(
    folder: Path, tmp_path: Path
) -> None:
    vectors = mined(folder, tmp_path, ByBrightness())
    assert set(vectors.unread) == {"broken.mp4"}
    pairs, copies = find_pairs(vectors, MiningConfig())
    names = vectors.names
    found = {frozenset((names[p.one], names[p.other])) for p in pairs}
    assert found == {
        frozenset(pair)
        for pair in (
            ("dark.mp4", "dark2.mp4"), ("dark.mp4", "picture.png"), ("dark2.mp4", "picture.png"),
            ("again.mp4", "mid2.mp4"), ("light.mp4", "light2.mp4"),
        )
    }  # fmt: skip
    assert {names[a]: names[b] for a, b in copies.items()} == {"mid.mp4": "again.mp4"}
    groups = find_groups(vectors, pairs, MiningConfig())
    assert [len(group.members) for group in groups] == [3, 2, 2]


def test_a_second_run_looks_only_at_what_is_new(folder: Path, tmp_path: Path) -> None:
    one = ByBrightness()
    mined(folder, tmp_path, one)
    assert one.asked == 7
    write_png(pattern(215, 9, 1), folder / "new.png")
    mined(folder, tmp_path, one)
    assert one.asked == 8


def test_tables_and_references_are_written(folder: Path, tmp_path: Path) -> None:
    vectors = mined(folder, tmp_path, ByBrightness())
    pairs, copies = find_pairs(vectors, MiningConfig())
    groups = find_groups(vectors, pairs, MiningConfig())
    rows = list(rows_of(vectors, groups, pairs, copies))
    write_rows(rows, tmp_path / "t.jsonl")
    write_rows(rows, tmp_path / "t.parquet")
    read = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert read == rows == pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["what"] for row in rows].count("copy") == 1
    with pytest.raises(InvalidInput, match=r"\.jsonl or \.parquet"):
        write_rows(rows, tmp_path / "t.csv")
    out = tmp_path / "refs"
    assert lay_out(folder, vectors, groups, out) == 6
    assert (out / "dark.element-Subject.png").is_file()
    assert (out / "dark.txt").read_text() == "With @Subject. Something dark."
    assert (out / "light.reference-Subject.mp4").is_file()
    with pytest.raises(AlreadyExists):
        lay_out(folder, vectors, groups, out)


def test_references_never_touch_the_originals(tmp_path: Path) -> None:
    media, out = tmp_path / "media", tmp_path / "refs"
    (media / "a").mkdir(parents=True)
    names = ("a/b.mp4", "a_b.mp4", "a_b.m4v", "c.mp4", "x.1.mp4", "x_1.mp4")
    for name in names:
        (media / name).write_bytes(name.encode())
    group = SubjectGroup("s", tuple(range(len(names))), 1.0)
    looks = np.eye(len(names), dtype=np.float32)
    vectors = Vectors(names, ("video",) * len(names), names, looks, looks, {})
    assert lay_out(media, vectors, [group], out) == len(names)
    assert {name: (media / name).read_bytes().decode() for name in names} == {n: n for n in names}
    mains = [path for path in out.iterdir() if ".reference-" not in path.name]
    assert sorted(path.read_bytes().decode() for path in mains) == sorted(names)
    assert len({path.stem for path in mains}) == len(names)
    assert (out / "c.mp4").is_file()


def test_references_take_captions_from_the_table_and_refuse_what_is_no_text(
    folder: Path, tmp_path: Path
) -> None:
    vectors = mined(folder, tmp_path, ByBrightness())
    groups = find_groups(vectors, find_pairs(vectors, MiningConfig())[0], MiningConfig())
    (folder / "captions.csv").write_text("file,caption\nlight.mp4,Something light.\n")
    (folder / "light2.txt").write_bytes("Etwas Schönes".encode("latin-1"))
    out = tmp_path / "refs"
    with pytest.raises(InvalidInput, match=r"light2\.mp4: light2\.txt is not UTF-8"):
        lay_out(folder, vectors, groups, out)
    assert not out.exists()
    (folder / "light2.txt").unlink()
    lay_out(folder, vectors, groups, out)
    assert (out / "light.txt").read_text() == "With @Subject. Something light."
    assert (out / "dark.txt").read_text() == "With @Subject. Something dark."


@pytest.mark.parametrize("damage", [b"", b"no vectors", None])
def test_damaged_vectors_are_made_anew(folder: Path, tmp_path: Path, damage: bytes | None) -> None:
    kept, one = tmp_path / "kept.npz", ByBrightness()
    before = mined(folder, tmp_path, one)
    kept.write_bytes(kept.read_bytes()[:-200] if damage is None else damage)
    assert mined(folder, tmp_path, one).names == before.names
    assert one.asked == 14


def test_a_chain_of_doubtful_pairs_joins_nothing() -> None:
    angles = np.radians([0, 30, 60])
    subjects = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    looks = np.eye(3, dtype=np.float32)
    vectors = Vectors(("a", "b", "c"), ("video",) * 3, ("1", "2", "3"), subjects, looks, {})
    config = MiningConfig(similarity=0.8)
    pairs, _ = find_pairs(vectors, config)
    assert [(p.one, p.other) for p in pairs] == [(0, 1), (1, 2)]
    assert [g.members for g in find_groups(vectors, pairs, config)] == [(0, 1)]


def test_the_index_finds_what_a_full_search_finds() -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((400, 16)).astype(np.float32)
    data /= np.linalg.norm(data, axis=1, keepdims=True)
    near = data @ data.T
    np.fill_diagonal(near, -2)
    exact = np.argsort(-near, 1)[:, :5]
    found = nearest(data, 5)
    shared = [len(set(a) & set(b)) for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert sum(shared) >= 0.98 * 5 * 400
    assert np.array_equal(found, nearest(data, 5))
