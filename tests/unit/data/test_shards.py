"""Shards: what goes in comes out, in one order for ever, from any sample on, or a clear refusal."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnireel.data.decode import decode_inputs, decode_target
from omnireel.data.sample import Media, SampleInput, TrainingSample
from omnireel.data.shards import ShardReader, ShardWriterConfig, write_shards
from omnireel.data.shards.schema import sample_of, table_of
from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    IntegrityError,
    InvalidInput,
    NotFound,
)
from omnireel.media import DecodeLimits
from omnireel.types import MediaKind, Role
from tests.support.shard_samples import Samples, bytes_sample, edit_sample

SMALL = ShardWriterConfig(seed=3, shard_bytes=400, group_bytes=120)


def many(count: int = 23) -> list[TrainingSample]:
    return [bytes_sample(f"{i:02d}", b"x" * (20 + 7 * (i % 5))) for i in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shards(tmp_path / "set", Samples(many()), SMALL, made_by={"command": "test"})
    return tmp_path / "set"


def keys(folder: Path) -> list[str]:
    return [sample.key for _, sample in ShardReader(folder).samples()]


def test_an_edit_comes_back_whole_and_decodes(tmp_path: Path) -> None:
    write_shards(tmp_path, Samples([edit_sample()]))
    ((index, sample),) = ShardReader(tmp_path).samples()
    assert (index, sample) == (0, edit_sample())
    assert [e.description for e in sample.prompt.elements] == ["a bear"]
    assert [i.role for i in sample.prompt.inputs] == [Role.SOURCE, Role.REFERENCE]
    assert sample.caption("terse").text == "@Hero with @Hat"
    media = decode_inputs(sample, DecodeLimits())
    assert {n: [len(c.frames_THWC) for c in clips] for n, clips in media.items()} == {
        "Clip": [17],
        "Hat": [1],
        "Hero": [1, 1],
    }
    assert decode_target(sample, DecodeLimits(), shrink_short_side=20).frames_THWC.shape[1] == 20


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(
    lambda text: bool(text.strip()) and "@" not in text
)


@settings(max_examples=40, deadline=None)
@given(
    key=st.text(st.characters(exclude_categories=("Cs",)), min_size=1),
    data=st.binary(min_size=1, max_size=300),
    text=words,
    captions=st.dictionaries(words, words, max_size=3),
    lineage=st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",))),
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | words,
        max_size=4,
    ),
    images=st.lists(st.binary(min_size=1, max_size=30), max_size=3),
)
def test_any_sample_survives_its_row(key, data, text, captions, lineage, images) -> None:
    inputs = tuple(SampleInput("Who", Role.ELEMENT, Media(i, MediaKind.IMAGE)) for i in images)
    mention = "@Who " if images else ""
    sample = TrainingSample(
        key=key,
        target=Media(data, MediaKind.VIDEO),
        text=mention + text,
        captions={level: mention + words for level, words in captions.items()},
        inputs=inputs,
        lineage=lineage,
    )
    sample.check()
    (row,) = table_of([sample]).to_pylist()
    assert sample_of(row) == sample


def test_the_order_is_shuffled_and_depends_on_the_seed_alone(tmp_path: Path, folder: Path) -> None:
    again = tmp_path / "again"
    write_shards(again, Samples(many()[::-1]), SMALL)
    for name in (file.name for file in ShardReader(folder).manifest.files):
        assert (folder / name).read_bytes() == (again / name).read_bytes()
    other = tmp_path / "other"
    write_shards(other, Samples(many()), dataclasses.replace(SMALL, seed=4))
    listed = [sample.key for sample in many()]
    assert sorted(keys(folder)) == sorted(keys(other)) == listed
    assert listed != keys(folder) != keys(other)
    more = tmp_path / "more"
    write_shards(more, Samples([*many(), bytes_sample("new")]), SMALL)
    assert [key for key in keys(more) if key != "new"] == keys(folder)


def test_files_and_row_groups_are_bounded(folder: Path) -> None:
    reader = ShardReader(folder)
    assert len(reader.manifest.files) > 1
    for file in reader.manifest.files:
        counts = pq.read_metadata(folder / file.name)
        assert counts.num_row_groups > 1 or file is reader.manifest.files[-1]
    assert reader.manifest.media_bytes == sum(len(s.target.data) for s in many())
    assert reader.manifest.capabilities == {"C20": len(many())}
    assert reader.manifest.made_by == {"command": "test"}


def test_reading_goes_on_at_every_sample(folder: Path) -> None:
    reader = ShardReader(folder)
    everything = list(reader.samples())
    assert [index for index, _ in everything] == list(range(len(many())))
    for start in range(len(everything) + 1):
        assert list(reader.samples(start)) == everything[start:]
    for start in (-1, len(everything) + 1):
        with pytest.raises(InvalidInput, match=f"{start} is not in"):
            list(reader.samples(start))


def test_reading_from_the_middle_touches_nothing_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[str, int]] = []
    real = pq.ParquetFile.read_row_group

    def counted(self, group, **more):
        read.append((file.name, group))
        return real(self, group, **more)

    reader = ShardReader(folder)
    file = reader.manifest.files[1]
    groups = pq.ParquetFile(folder / file.name).metadata
    last_group = groups.num_row_groups - 1
    start = sum(f.num_samples for f in reader.manifest.files[:2]) - 1
    (folder / reader.manifest.files[0].name).write_bytes(
        b"\0" * reader.manifest.files[0].size_bytes
    )
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    assert next(reader.samples(start))[0] == start
    assert read == [(file.name, last_group)]


def test_all_missing_shards_are_listed(folder: Path) -> None:
    names = [file.name for file in ShardReader(folder).manifest.files]
    for name in names[1:]:
        (folder / name).unlink()
    with pytest.raises(NotFound) as caught:
        ShardReader(folder)
    assert all(name in str(caught.value) for name in names[1:])
    assert names[0] not in str(caught.value)


def test_a_truncated_file_is_named(folder: Path) -> None:
    path = folder / "shard-00001.parquet"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match=r"shard-00001\.parquet has .* bytes instead of"):
        ShardReader(folder)


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    """Whatever byte of a file changes, reading it names the file or gives the very same samples."""
    folder = tmp_path / "set"
    write_shards(folder, Samples(many(3)))
    path = folder / "shard-00000.parquet"
    whole = path.read_bytes()
    everything = list(ShardReader(folder).samples())
    caught = 0
    for place in range(0, len(whole), 13):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        reader = ShardReader(folder)
        with pytest.raises(IntegrityError, match=r"shard-00000\.parquet changed"):
            reader.verify()
        try:
            assert list(reader.samples()) == everything
        except IntegrityError as error:
            assert "shard-00000.parquet" in str(error)
            caught += 1
    assert caught > 20


def test_manifests_of_other_releases_and_kinds_are_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    data = json.loads(path.read_text())
    for version, remedy in ((2, "newer release"), (0, "pack the samples again")):
        path.write_text(json.dumps({**data, "schema_version": version}))
        with pytest.raises(FailedPrecondition, match=f"schema version {version}.*{remedy}"):
            ShardReader(folder)
    for text in ("{", "[]", json.dumps({**data, "files": [{"name": "x"}]})):
        path.write_text(text)
        with pytest.raises(IntegrityError, match="damaged"):
            ShardReader(folder)
    path.write_text("{}")
    with pytest.raises(InvalidInput, match="not a manifest of training shards"):
        ShardReader(folder)
    path.unlink()
    with pytest.raises(FailedPrecondition, match="not finished"):
        ShardReader(folder)
    with pytest.raises(NotFound, match="omnireel data pack"):
        ShardReader(folder.parent)


def test_an_interrupted_packing_goes_on_and_ends_the_same(tmp_path: Path, folder: Path) -> None:
    class Dies(Samples):
        def load(self, key: str) -> TrainingSample:
            if len(self.loaded) == 15:
                raise KeyboardInterrupt
            return super().load(key)

    half = tmp_path / "half"
    with pytest.raises(KeyboardInterrupt):
        write_shards(half, Dies(many()), SMALL)
    finished = sorted(path.name for path in half.iterdir())
    assert finished and all(name.startswith("shard-") for name in finished)
    (half / ".partial-left.parquet").write_bytes(b"PAR1")
    rest = Samples(many())
    write_shards(half, rest, SMALL, made_by={"command": "test"})
    assert 0 < len(rest.loaded) < len(many())
    assert {p.name: p.read_bytes() for p in half.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }


def test_finished_shards_are_kept_and_others_refused(folder: Path) -> None:
    again = Samples(many())
    write_shards(folder, again, SMALL)
    assert again.loaded == []
    with pytest.raises(AlreadyExists, match="other shards"):
        write_shards(folder, Samples(many(5)), SMALL)


def test_half_done_work_of_another_plan_is_replaced_but_no_stranger(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "manifest.json").unlink()
    write_shards(folder, Samples(many(5)), SMALL)
    assert len(ShardReader(folder)) == 5
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    pq.write_table(pa.table({"a": [1]}), stranger / "shard-00000.parquet")
    with pytest.raises(IntegrityError, match="not a shard that"):
        write_shards(stranger, Samples(many(5)), SMALL)


@pytest.mark.parametrize(
    ("sample", "wrong"),
    [
        (bytes_sample("a", b""), "target is empty"),
        (bytes_sample(""), "needs a key"),
        (dataclasses.replace(bytes_sample("a"), text="see @Nobody"), "Nobody"),
        (dataclasses.replace(bytes_sample("a"), captions={"terse": " "}), "empty"),
        (
            dataclasses.replace(
                bytes_sample("a"),
                text="@Hero",
                inputs=(SampleInput("Hero", Role.ELEMENT, Media(b"x", MediaKind.VIDEO)),),
            ),
            "give images",
        ),
    ],
)
def test_senseless_samples_are_refused_and_nothing_stays(
    tmp_path: Path, sample: TrainingSample, wrong: str
) -> None:
    with pytest.raises(InvalidInput, match=wrong):
        write_shards(tmp_path, Samples([sample]))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInput, match="no samples"):
        write_shards(tmp_path, Samples([]))


def test_rows_of_one_content_have_one_digest() -> None:
    base = edit_sample()
    changed = [
        dataclasses.replace(base, key="x"),
        dataclasses.replace(base, text=base.text + "."),
        dataclasses.replace(base, vague_text=""),
        dataclasses.replace(base, captions={}),
        dataclasses.replace(base, capability="C1"),
        dataclasses.replace(base, lineage={}),
        dataclasses.replace(base, source_sha256=""),
        dataclasses.replace(base, target=Media(base.target.data + b"x", base.target.kind)),
        dataclasses.replace(base, target=Media(base.target.data, MediaKind.IMAGE)),
        dataclasses.replace(base, inputs=base.inputs[::-1]),
        dataclasses.replace(base, inputs=base.inputs[1:]),
    ]
    digests = [sample.digest() for sample in (base, *changed)]
    assert all(a != b for a, b in itertools.combinations(digests, 2))
