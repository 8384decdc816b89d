"""Checkpoints in an object store: whole, no more than the run keeps, and good to go on from."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import AlreadyExists, IntegrityError, NotFound, Unavailable
from omnireel.recipes.copies import CheckpointCopies, fetch_run
from omnireel.registry import write_text_atomic
from omnireel.store import LocalStore
from omnireel.train.checkpoint import load_checkpoint
from tests.support.toy_training import toy_trainer


def steps(store: LocalStore) -> set[str]:
    return {info.key.split("/")[1] for info in store.list("checkpoints/step_")}


def test_a_lost_run_goes_on_from_its_copy(tmp_path: Path) -> None:
    toy_trainer(tmp_path / "whole", num_steps=8).fit()
    toy_trainer(tmp_path / "whole").fit(resume=True)
    store = LocalStore(tmp_path / "store")
    toy_trainer(tmp_path / "lost", CheckpointCopies(store), num_steps=8).fit()
    assert steps(store) <= {"step_00000004", "step_00000008"}
    assert not list((tmp_path / "lost/checkpoints").glob(".*.copying"))
    found = fetch_run(store, tmp_path / "back")
    assert found.name == "step_00000008"
    assert toy_trainer(tmp_path / "back", CheckpointCopies(store)).fit(resume=True).step == 12
    one, two = load_checkpoint(tmp_path / "whole"), load_checkpoint(tmp_path / "back")
    assert all(torch.equal(one.model[name], two.model[name]) for name in one.model)
    assert store.get(store.uri("checkpoints/latest")) == b"step_00000012\n"


def test_what_the_run_dropped_goes(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    trainer = toy_trainer(
        tmp_path / "run", CheckpointCopies(store), num_steps=12, checkpoint_every=1,
        keep_checkpoints=1,
    )  # fmt: skip
    trainer.fit()
    assert steps(store) == {"step_00000012"}


def test_another_run_is_not_overwritten(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    toy_trainer(tmp_path / "one", CheckpointCopies(store), num_steps=4).fit()
    with pytest.raises(AlreadyExists, match="choose another --copy-to"):
        toy_trainer(tmp_path / "two", CheckpointCopies(store), num_steps=4).fit()
    with pytest.raises(AlreadyExists, match="step_00000004"):
        fetch_run(store, tmp_path / "one")


def recipe_of(run: Path, *commands: str) -> Callable[[], None]:
    """Writes what a recipe's run says of its commands."""
    return lambda: write_text_atomic(run / "recipe.json", json.dumps({"commands": commands}))


def test_a_run_that_goes_on_overwrites_neither_another_run_nor_its_own_future(
    tmp_path: Path,
) -> None:
    store, a, b = LocalStore(tmp_path / "store"), tmp_path / "a", tmp_path / "b"
    toy_trainer(a, num_steps=8).fit(on_locked=recipe_of(a, "one"))
    toy_trainer(b, CheckpointCopies(store), num_steps=4).fit(on_locked=recipe_of(b, "two"))
    with pytest.raises(AlreadyExists, match="step_00000004 of another run"):
        toy_trainer(a, CheckpointCopies(store)).fit(
            resume=True, on_locked=recipe_of(a, "one", "again")
        )
    shutil.copytree(b, tmp_path / "older")  # a snapshot of the volume
    toy_trainer(b, CheckpointCopies(store)).fit(resume=True, on_locked=recipe_of(b, "two", "more"))
    before = steps(store)
    assert "step_00000012" in before
    older = tmp_path / "older"
    with pytest.raises(AlreadyExists, match=r"beyond step 4; .*omnireel train fetch"):
        toy_trainer(older, CheckpointCopies(store)).fit(
            resume=True, on_locked=recipe_of(older, "two", "more")
        )
    assert steps(store) == before


def test_a_run_that_was_stopped_before_its_first_step_goes_on(tmp_path: Path) -> None:
    store, run = LocalStore(tmp_path / "store"), tmp_path / "run"
    trainer = toy_trainer(run, CheckpointCopies(store), num_steps=4)
    trainer.request_stop()
    trainer.fit(on_locked=recipe_of(run, "one"))
    assert steps(store) == {"step_00000000"}
    toy_trainer(run, CheckpointCopies(store), num_steps=4).fit(
        resume=True, on_locked=recipe_of(run, "one", "one")
    )
    assert "step_00000004" in steps(store)


class Broken(LocalStore):
    """Cannot be written; says when that was tried."""

    tried = threading.Event()

    def put(self, key: str, data: bytes | Path) -> str:
        self.tried.set()
        raise Unavailable("the store does not answer")


def test_a_store_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        toy_trainer(tmp_path / "run", CheckpointCopies(Broken(tmp_path / "store"))).fit()
    assert Broken.tried.is_set()


class Half(LocalStore):
    """Ends before the state of the second checkpoint is written."""

    def put(self, key: str, data: bytes | Path) -> str:
        if key == "checkpoints/step_00000008/state.json":
            raise Unavailable("lost")
        return super().put(key, data)


def test_half_a_copy_is_never_the_latest(tmp_path: Path) -> None:
    store = Half(tmp_path / "store")
    with pytest.raises(Unavailable):
        toy_trainer(tmp_path / "run", CheckpointCopies(store), num_steps=8).fit()
    latest = "checkpoints/latest"
    if store.exists(store.uri(latest)):  # the first was not passed over
        assert store.get(store.uri(latest)) == b"step_00000004\n"


def test_a_store_leads_nowhere_but_into_the_run(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.put("checkpoints/latest", b"../../elsewhere")
    with pytest.raises(IntegrityError, match="elsewhere"):
        fetch_run(store, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_verb(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no run was copied"):
        fetch_run(LocalStore(tmp_path / "empty"), tmp_path / "x")
    store = LocalStore(tmp_path / "store")
    toy_trainer(tmp_path / "run", CheckpointCopies(store), num_steps=4).fit()
    said = CliRunner().invoke(
        app, ["train", "fetch", (tmp_path / "store").as_uri(), str(tmp_path / "back")]
    )
    assert said.exit_code == 0, said.output
    assert load_checkpoint(tmp_path / "back").step == 4
