from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omnireel.errors import NotFound
from omnireel.registry.component import verify
from omnireel.store import open_store
from services.common.fetch_weights import fetch_weights, main
from services.common.model_settings import SHIPPED_TINY

COMPONENT = SHIPPED_TINY / "vae"


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    folder = tmp_path / "bucket"
    shutil.copytree(COMPONENT, folder / "vae")
    return folder


def test_every_component_is_copied(bucket: Path, tmp_path: Path) -> None:
    size = fetch_weights(open_store(bucket.as_uri()), tmp_path / "weights", lambda _: None)
    files = [path for path in COMPONENT.iterdir() if path.is_file()]
    assert size == sum(path.stat().st_size for path in files)
    for path in files:
        assert (tmp_path / "weights" / "vae" / path.name).read_bytes() == path.read_bytes()
    verify(tmp_path / "weights" / "vae")


def test_what_was_cut_off_is_copied_anew(bucket: Path, tmp_path: Path) -> None:
    fetch_weights(open_store(bucket.as_uri()), tmp_path / "weights", lambda _: None)
    weights = tmp_path / "weights" / "vae" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    fetch_weights(open_store(bucket.as_uri()), tmp_path / "weights", lambda _: None)
    verify(tmp_path / "weights" / "vae")


def test_an_empty_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="look at bucket and prefix"):
        fetch_weights(open_store((tmp_path / "empty").as_uri()), tmp_path / "w", lambda _: None)


def test_as_a_command(bucket: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([bucket.as_uri(), str(tmp_path / "weights")]) == 0
    assert str(tmp_path / "weights") in capsys.readouterr().out
    assert main([]) == 2
    assert main(["ftp://host", str(tmp_path)]) == 1
