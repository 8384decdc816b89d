"""``release`` through Kubeflow's local runner, against a gateway on a real port."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from google.rpc import code_pb2, status_pb2

from omnireel.cli.rollout.targets import FolderTarget
from omnireel.registry.publishing import register, set_alias
from omnireel.registry.versions import ModelVersion, Registry
from omnireel.shipped import SHIPPED_TINY
from tests.support.gateway import FakeGateway, Script
from tests.support.local_pipelines import artefact, run_locally
from tests.support.registry import fresh_registry

pytestmark = [pytest.mark.timeout(3000), pytest.mark.filterwarnings("ignore")]
SETTINGS = ["smoke=true", "requests=2"]


def release(
    root: Path, uri: str, version: ModelVersion, address: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the whole workflow for a version."""
    arguments = {
        "version": version.ref, "mlflow": uri, "canary": f"folder:{root}/canary",
        "canary_address": address, "service": f"folder:{root}/service",
        "models": str(root / "models"), "served": str(root / "models"),
        **more,
    }  # fmt: skip
    return run_locally("release", root, SETTINGS, arguments)


def released(root: Path, uri: str, version: ModelVersion, address: str) -> str:
    """The same, which must succeed; its output."""
    done = release(root, uri, version, address)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_ill_canary_is_taken_back_and_a_good_one_promoted(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    version = register(SHIPPED_TINY / "enhancer", name="enhancer", tracking_uri=uri)
    registry = Registry.open(uri)
    refusal = status_pb2.Status(code=code_pb2.INTERNAL, message="no device")
    with FakeGateway(Script(create_error=refusal)) as gateway:
        said = released(tmp_path, uri, version, gateway.address)
    verdict = json.loads(artefact(tmp_path, "release", "judge-release", "verdict").read_text())
    assert verdict["verdict"] == "passed", verdict["reasons"]
    assert "no device" in said and "refused: 0 made, 1 failed" in said
    assert not (tmp_path / "canary").exists() and not (tmp_path / "service").exists()
    assert registry.champion("enhancer") is None

    with FakeGateway() as gateway:
        released(tmp_path, uri, version, gateway.address)
        assert len(gateway.seen.creates) == 2
    model = tmp_path / "models" / version.ref
    for link in ("canary", "service"):
        assert (tmp_path / link).resolve() == model.resolve()
    champion = registry.champion("enhancer")
    assert champion is not None and champion.ref == version.ref
    assert champion.gate == "passed" and "canary" in champion.aliases


def test_what_the_gate_refuses_is_never_served(tmp_path: Path) -> None:
    from tests.support.engines.random_weights import save_random_weights

    uri = fresh_registry(tmp_path / "mlflow")
    weights = save_random_weights(tmp_path / "weights")
    vae = register(weights / "vae", name="vae", tracking_uri=uri)
    version = register(
        weights / "generator", name="generator", parents=(vae.ref,), tracking_uri=uri
    )
    released(tmp_path, uri, version, "127.0.0.1:1")
    verdict = json.loads(artefact(tmp_path, "release", "judge-release", "verdict").read_text())
    assert verdict["verdict"] == "refused"
    assert not (tmp_path / "canary").exists() and not (tmp_path / "models").exists()
    assert Registry.open(uri).champion("generator") is None


def test_a_release_that_breaks_leaves_nothing_served_that_is_not_the_champion(
    tmp_path: Path,
) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    version = register(SHIPPED_TINY / "enhancer", name="enhancer", tracking_uri=uri)
    set_alias(version.ref, "canary", tracking_uri=uri)
    model = tmp_path / "models" / version.ref
    (model / "enhancer").mkdir(parents=True)
    canary = FolderTarget(tmp_path / "canary")
    canary.put(version.ref, model)  # as a run before has left it
    (tmp_path / "full").write_text("no folder")
    done = release(tmp_path, uri, version, "127.0.0.1:1", folder=str(tmp_path / "full"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert not canary.link.exists()
    assert Registry.open(uri).resolve(version.ref).aliases == ()
