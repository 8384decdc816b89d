"""Components as versions in a real MLflow registry."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    IntegrityError,
    InvalidInput,
    NotFound,
    ResourceExhausted,
    Unavailable,
)
from omnireel.generate.components import weights_sha256
from omnireel.registry import load_component, publishing, verify
from omnireel.registry.data_manifest import DataManifest
from omnireel.registry.publishing import fetch, register, set_alias
from omnireel.registry.reference import Reference, check_name, parse_reference
from omnireel.registry.tracking import open_client
from omnireel.registry.versions import ModelVersion, Registry, content_hash, weights_hash
from tests.support.registry import fresh_registry, small_component

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return fresh_registry(tmp_path / "mlflow")


def stored_files(uri: str, ref: str) -> Path:
    return Path(urlsplit(Registry.open(uri).resolve(ref).source).path)


def test_a_version_carries_its_facts_and_comes_back_the_same(uri: str, tmp_path: Path) -> None:
    client = open_client(uri)
    run = client.create_run(client.create_experiment("training")).info.run_id
    manifest = tmp_path / "clips" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    first = register(small_component(tmp_path / "a", 1), name="gen", tracking_uri=uri)
    set_alias("gen/1", "teacher", tracking_uri=uri)
    folder = small_component(tmp_path / "b", 2)
    second = register(
        folder,
        name="gen",
        run_id=run,
        parents=["gen@teacher", first.content_hash[:12]],
        data_manifest=DataManifest.of_file(manifest),
        tracking_uri=uri,
    )
    assert second.ref == "gen/2" and second.parents == ("gen/1",)
    assert (second.kind, second.recipe) == ("generator", "generator-tiny")
    assert second.git_revision == "abc1234" and second.run_id == run
    assert second.data == "clips"
    assert second.data_manifest == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
    card = verify(folder)
    assert second.weights_hash == weights_sha256(load_component(folder)) == weights_hash(card)
    assert fetch(second.weights_hash, tmp_path / "out", tracking_uri=uri) == second
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        p.name for p in folder.iterdir()
    )
    assert content_hash(verify(tmp_path / "out")) == second.content_hash
    assert "Small component" in client.get_model_version("gen", "2").description
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_same_content_is_the_same_version(uri: str, tmp_path: Path) -> None:
    first = register(small_component(tmp_path / "a"), name="gen", tracking_uri=uri)
    again = small_component(tmp_path / "b")
    card = json.loads((again / "card.json").read_text())
    (again / "card.json").write_text(json.dumps({**card, "wall_time_s": 7}))
    assert register(again, name="gen", tracking_uri=uri) == first
    assert register(again, name="other", tracking_uri=uri).ref == "other/1"
    assert [v.ref for v in Registry.open(uri).versions()] == ["gen/1", "other/1"]


def test_known_content_is_told_its_lineage_later_and_once(uri: str, tmp_path: Path) -> None:
    manifests = []
    for name in ("clips", "others"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(name)
        manifests.append(DataManifest.of_file(tmp_path / name / "manifest.json"))
    vaes = [
        register(small_component(tmp_path / f"v{i}", i, kind="vae"), name="vae", tracking_uri=uri)
        for i in (1.0, 2.0)
    ]
    folder = small_component(tmp_path / "a")

    def again(*parents: str, data: DataManifest | None = None) -> ModelVersion:
        return register(folder, name="gen", parents=parents, data_manifest=data, tracking_uri=uri)

    assert again().parents == ()
    assert again("vae/1").parents == ("vae/1",) and again().parents == ("vae/1",)
    assert again("vae/1", data=manifests[0]).data == "clips"
    assert Registry.open(uri).resolve("gen/1").data_manifest == manifests[0].sha256
    with pytest.raises(AlreadyExists, match=r"gen/1 holds .* has the parents vae/1, not vae/2"):
        again("vae/2")
    with pytest.raises(AlreadyExists, match="has the data manifest"):
        again(data=manifests[1])
    assert again().parents == ("vae/1",) and again().data == "clips"
    # A child is no parent.
    register(small_component(tmp_path / "b", 5.0), name="gen", parents=["vae/1"], tracking_uri=uri)
    with pytest.raises(InvalidInput, match="gen/2 was made from vae/1"):
        register(tmp_path / "v1.0", name="vae", parents=["gen/2"], tracking_uri=uri)
    # Training that changed nothing.
    assert again("gen/1").parents == ("vae/1",)
    assert vaes[0] == Registry.open(uri).resolve("vae/1")


def test_a_cut_off_upload_is_taken_up_again(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_component(tmp_path / "a")

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_create", killed)
        with pytest.raises(KeyboardInterrupt):
            register(folder, name="gen", tracking_uri=uri)
    assert Registry.open(uri).versions() == []
    register(folder, name="gen", tracking_uri=uri)
    client = open_client(uri)
    experiments = [e.experiment_id for e in client.search_experiments()]
    assert len(client.search_logged_models(experiments)) == 1


def test_of_two_equal_registrations_at_once_one_stays(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = small_component(tmp_path / "a")
    both_looked = threading.Barrier(2, timeout=60)
    upload = publishing._upload

    def upload_together(*args: object) -> str:
        if threading.current_thread().name == "second":
            both_looked.wait()
            first_is_done.wait(60)
        else:
            both_looked.wait()
        return upload(*args)  # type: ignore[arg-type]

    first_is_done = threading.Event()
    monkeypatch.setattr(publishing, "_upload", upload_together)
    found = {}

    def run() -> None:
        name = threading.current_thread().name
        found[name] = register(folder, name="gen", tracking_uri=uri).ref
        first_is_done.set()

    threads = [threading.Thread(target=run, name=name) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"first": "gen/1", "second": "gen/1"}
    assert [v.ref for v in Registry.open(uri).versions()] == ["gen/1"]


def test_tampered_folders_do_not_get_in_or_out(uri: str, tmp_path: Path) -> None:
    folder = small_component(tmp_path / "a")
    register(folder, name="gen", tracking_uri=uri)
    (folder / "config.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"config\.json"):
        register(folder, name="gen", tracking_uri=uri)
    stored = stored_files(uri, "gen/1")
    (stored / "config.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"gen/1 in .* is damaged: config\.json does not"):
        fetch("gen/1", tmp_path / "out", tracking_uri=uri)
    shutil.rmtree(stored)
    shutil.copytree(small_component(tmp_path / "other", 5.0), stored)  # whole, but not it
    with pytest.raises(IntegrityError, match="is not what was registered"):
        fetch("gen/1", tmp_path / "out", tracking_uri=uri)
    shutil.rmtree(stored)
    with pytest.raises(NotFound, match="files of gen/1 are missing"):
        fetch("gen/1", tmp_path / "out", tracking_uri=uri)
    assert not (tmp_path / "out").exists()


def test_fetch_repeats_nothing_and_overwrites_nothing_else(uri: str, tmp_path: Path) -> None:
    folder = small_component(tmp_path / "a")
    register(folder, name="gen", tracking_uri=uri)
    out = tmp_path / "out"
    fetch("gen/1", out, tracking_uri=uri)
    shutil.move(stored_files(uri, "gen/1"), tmp_path / "away")
    fetch("gen/1", out, tracking_uri=uri)  # is there already
    shutil.move(tmp_path / "away", stored_files(uri, "gen/1"))
    (out / "config.json").write_text("{}")
    fetch("gen/1", out, tracking_uri=uri)  # a damaged copy is replaced
    assert (out / "config.json").read_text() == (folder / "config.json").read_text()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("x")
    with pytest.raises(InvalidInput, match="not a component folder"):
        fetch("gen/1", precious, tracking_uri=uri)


def test_unknown_things_list_near_ones(uri: str, tmp_path: Path) -> None:
    folder = small_component(tmp_path / "a")
    registry = Registry.open(uri)
    with pytest.raises(NotFound, match="the registry is empty"):
        registry.resolve("gen/1")
    version = register(folder, name="generator-tiny", tracking_uri=uri)
    set_alias("generator-tiny/1", "teacher", tracking_uri=uri)
    for reference, words in {
        "generater-tiny/1": "there are generator-tiny",
        "generator-tiny/7": "no version 7; nearest: generator-tiny/1",
        "generator-tiny@techer": "did you mean generator-tiny@teacher",
        "generator-tiny@xyz": "there is generator-tiny@teacher",
        "0123456789ab": "no version's hash starts with",
    }.items():
        with pytest.raises(NotFound, match=words):
            registry.resolve(reference)
    with pytest.raises(InvalidInput, match="choose one: generator-tiny/1"):
        registry.resolve("generator-tiny")
    assert registry.resolve(version.content_hash[:8]) == replace(version, aliases=("teacher",))
    with pytest.raises(NotFound, match="no run 'absent'"):
        register(small_component(tmp_path / "b", 3), name="g", run_id="absent", tracking_uri=uri)
    with pytest.raises(NotFound, match="generator-tiny has no version 9"):
        register(
            small_component(tmp_path / "b", 3),
            name="g",
            parents=["generator-tiny/9"],
            tracking_uri=uri,
        )
    with pytest.raises(InvalidInput, match="holds generator components"):
        register(
            small_component(tmp_path / "v", 4, kind="vae"),
            name="generator-tiny",
            tracking_uri=uri,
        )


def test_references() -> None:
    assert parse_reference("gen-1.2/3") == Reference("gen-1.2", number=3)
    assert parse_reference("gen@champion") == Reference("gen", alias="champion")
    assert parse_reference("deadbeef") == Reference(digest="deadbeef")
    assert parse_reference("gen") == Reference("gen")
    for text in ("", "gen/", "gen/0", "gen/x", "gen@", "@x", "a b", "gen/1/2", "../x"):
        with pytest.raises(InvalidInput):
            parse_reference(text)
    for name in ("deadbeef", "a/b", "", "a:b"):
        with pytest.raises(InvalidInput):
            check_name(name)


def test_the_champion_does_not_move_by_hand(uri: str, tmp_path: Path) -> None:
    register(small_component(tmp_path / "a"), name="gen", tracking_uri=uri)
    with pytest.raises(InvalidInput, match="only through a gate"):
        set_alias("gen/1", "champion", tracking_uri=uri)
    with pytest.raises(InvalidInput, match="is not an alias"):
        set_alias("gen/1", "v2", tracking_uri=uri)


def test_an_absent_server_is_named_at_once(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Unavailable, match=rf"{address}.*--mlflow"):
            register(small_component(tmp_path / "a"), name="gen", tracking_uri=address)
    with pytest.raises(NotFound, match="registry register FOLDER"):
        Registry.open(f"sqlite:///{tmp_path}/absent.db")
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "text.db").write_text("not a database at all")
    with pytest.raises(Unavailable, match="not an SQLite database"):
        Registry.open(f"sqlite:///{tmp_path}/text.db")
    with pytest.raises(InvalidInput, match="--mlflow sqlite"):
        Registry.open("runs/mlflow")


def test_a_full_disk_leaves_the_old_copy(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(small_component(tmp_path / "a", 1), name="gen", tracking_uri=uri)
    register(small_component(tmp_path / "b", 2), name="gen", tracking_uri=uri)
    out = tmp_path / "out"
    fetch("gen/1", out, tracking_uri=uri)

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlflow.artifacts.download_artifacts", full)
    with pytest.raises(ResourceExhausted, match="no space left"):
        fetch("gen/2", out, tracking_uri=uri)
    assert content_hash(verify(out)) == Registry.open(uri).resolve("gen/1").content_hash


def test_absence_of_mlflow_names_the_remedy(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    with pytest.raises(FailedPrecondition, match=r"omnireel\[train\]"):
        open_client(uri)
