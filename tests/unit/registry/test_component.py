from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from omnireel.errors import IntegrityError, InvalidInput, NotFound, ResourceExhausted
from omnireel.registry import component as component_module
from omnireel.registry import load_component, save_component, sha256_file, verify
from omnireel.shipped import SHIPPED_TINY

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([3], dtype=torch.int64)}


def _save(folder: Path, **changes: object) -> Path:
    arguments: dict[str, object] = {
        "kind": "vae",
        "config": {"channels": 16},
        "state_dict": TENSORS,
        "card": {"command": "omnireel train vae-tiny", "scores": {"PSNR (dB)": 31.25}},
        **changes,
    }
    return save_component(folder, **arguments)  # type: ignore[arg-type]


def test_round_trip_gives_float32_and_keeps_integers(tmp_path: Path) -> None:
    loaded = load_component(_save(tmp_path / "vae"), kind="vae")
    assert loaded.kind == "vae" and loaded.config == {"channels": 16}
    assert loaded.state_dict["a.weight"].dtype == torch.float32
    assert torch.equal(loaded.state_dict["a.weight"], TENSORS["a.weight"])
    assert loaded.state_dict["b"].dtype == torch.int64
    stored = load_component(tmp_path / "vae", dtype=None).state_dict["a.weight"]
    assert stored.dtype == torch.bfloat16


def test_readme_shows_command_scores_and_hash(tmp_path: Path) -> None:
    folder = _save(tmp_path / "vae")
    text = (folder / "README.md").read_text()
    card = json.loads((folder / "card.json").read_text())
    assert "omnireel train vae-tiny" in text and "31.25" in text
    assert card["sha256"]["model.safetensors"] in text
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "card.json",
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_changed_bytes_are_refused(tmp_path: Path, name: str) -> None:
    folder = _save(tmp_path / "vae")
    data = bytearray((folder / name).read_bytes())
    data[-2] ^= 1
    (folder / name).write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match=name):
        load_component(folder)


def test_missing_folder_and_missing_file_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="omnireel train"):
        load_component(tmp_path / "nothing")
    folder = _save(tmp_path / "vae")
    (folder / "model.safetensors").unlink()
    with pytest.raises(NotFound, match=r"model\.safetensors is missing"):
        verify(folder)


def test_card_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    folder = _save(tmp_path / "vae")
    card = json.loads((folder / "card.json").read_text())
    card["sha256"]["../secret"] = "0"
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(IntegrityError, match="outside"):
        verify(folder)


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "text", ["", "[]", '{"kind": "vae"}', '{"kind": "vae", "sha256": [[5, ""]]}', "\x00", DEEP]
)
def test_damaged_card(tmp_path: Path, text: str) -> None:
    folder = _save(tmp_path / "vae")
    (folder / "card.json").write_text(text)
    with pytest.raises(IntegrityError, match="damaged"):
        verify(folder)


def _renew_hashes(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["sha256"] = {name: sha256_file(folder / name) for name in card["sha256"]}
    (folder / "card.json").write_text(json.dumps(card))


@pytest.mark.parametrize("text", ["", '{"a":', "[]", DEEP])
def test_a_configuration_that_says_nothing_is_damaged(tmp_path: Path, text: str) -> None:
    folder = _save(tmp_path / "vae")
    (folder / "config.json").write_text(text)
    _renew_hashes(folder)
    for read in (verify, load_component):
        with pytest.raises(IntegrityError, match=r"config\.json is damaged"):
            read(folder)


@pytest.mark.parametrize(
    ("tensor", "fault"),
    [
        (torch.tensor([1.0, float("nan")]), "not finite"),
        (torch.tensor([1.0, float("inf")], dtype=torch.bfloat16), "not finite"),
        (torch.ones(2, dtype=torch.int8), "of type int8"),
        (torch.ones(2, dtype=torch.complex64), "of type complex64"),
        (torch.ones(2).to(torch.float8_e4m3fn), "of type float8_e4m3fn"),
    ],
)
def test_weights_that_no_model_takes_are_neither_loaded_nor_saved(
    tmp_path: Path, tensor: torch.Tensor, fault: str
) -> None:
    folder = _save(tmp_path / "vae")
    save_file({"fine": torch.empty(0), "w": tensor}, folder / "model.safetensors")
    _renew_hashes(folder)
    with pytest.raises(IntegrityError, match=f"tensor w in .*{fault}"):
        load_component(folder)
    with pytest.raises(InvalidInput, match=f"tensor w .*{fault}"):
        _save(tmp_path / "new", state_dict={"w": tensor}, dtype=None)


def test_numbers_beyond_the_storage_type_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not finite"):
        _save(tmp_path / "vae", state_dict={"w": torch.tensor([1e6])}, dtype=torch.float16)


def test_other_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="'generator' is needed"):
        load_component(_save(tmp_path / "vae"), kind="generator")


def test_large_components_are_split_and_joined(tmp_path: Path) -> None:
    tensors = {f"layer{i}": torch.full((64,), float(i)) for i in range(5)}
    folder = _save(tmp_path / "big", state_dict=tensors, max_file_bytes=300)
    assert len(list(folder.glob("model-*-of-00003.safetensors"))) == 3
    loaded = load_component(folder).state_dict
    assert loaded.keys() == tensors.keys()
    assert all(torch.equal(loaded[n], tensors[n]) for n in tensors)


def test_non_finite_weights_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not finite"):
        _save(tmp_path / "vae", state_dict={"w": torch.tensor([float("nan")])})
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_component_is_never_replaced(tmp_path: Path) -> None:
    work, note = tmp_path / "work", tmp_path / "note"
    (work / "sub").mkdir(parents=True)
    (work / "sub" / "thesis.txt").write_text("mine")
    note.write_text("mine")
    for place in (work, note):
        with pytest.raises(InvalidInput, match="is not a component folder; choose another place"):
            _save(place)
    assert (work / "sub" / "thesis.txt").read_text() == note.read_text() == "mine"
    (tmp_path / "empty").mkdir()
    _save(_save(tmp_path / "empty"), config={"channels": 8})
    assert load_component(tmp_path / "empty").config == {"channels": 8}


def test_disk_full_leaves_the_old_component_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _save(tmp_path / "vae")

    def full(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(component_module, "save_file", full)
    with pytest.raises(ResourceExhausted, match="no space left"):
        _save(tmp_path / "vae", config={"channels": 8})
    assert load_component(folder).config == {"channels": 16}
    assert [p.name for p in tmp_path.iterdir()] == ["vae"]


def test_shared_memory_tensors_are_accepted(tmp_path: Path) -> None:
    tied = torch.ones(4)
    loaded = load_component(_save(tmp_path / "vae", state_dict={"a": tied, "b": tied.view(2, 2)}))
    assert loaded.state_dict["b"].shape == (2, 2)


def test_another_user_can_read_what_was_saved(tmp_path: Path) -> None:
    folder = save_component(
        tmp_path / "vae", kind="vae", config={}, state_dict={"w": torch.ones(2)}, card={}
    )
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.iterdir())


def test_shipped_components_are_found_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert verify("omnireel/weights/tiny/vae")["kind"] == "vae"
    assert load_component("omnireel/weights/tiny/vae").card == verify(SHIPPED_TINY / "vae")
    with pytest.raises(NotFound):
        verify("weights/tiny/vae")
