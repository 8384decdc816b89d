"""``omnireel rollout``: a link, a Deployment over real HTTP, and watching a gateway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.rpc import code_pb2, status_pb2
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.cli.rollout.deployment import DeploymentTarget
from omnireel.cli.rollout.targets import (
    FolderTarget,
    WaitConfig,
    open_target,
    rolled_out,
    wait_until,
)
from omnireel.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    Unavailable,
)
from omnireel.registry.publishing import register, set_alias
from omnireel.registry.versions import Registry
from omnireel.shipped import SHIPPED_TINY
from tests.support.gateway import FakeGateway, Script
from tests.support.kube_api import KubeApi, kube_api
from tests.support.registry import fresh_registry

VARIABLE = "OMNIREEL_SUPER_RESOLVER_WEIGHTS"


def model(folder: Path) -> Path:
    (folder / "generator").mkdir(parents=True)
    return folder


def test_a_link_leads_to_the_model_and_back(tmp_path: Path) -> None:
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    target = FolderTarget(tmp_path / "served")
    assert target.put("gen/1", one) and target.link.resolve() == one
    assert target.put("gen/2", two) and target.link.resolve() == two
    assert not target.put("gen/2", two)  # a step that is repeated forgets nothing
    assert target.undo() == str(one) and target.link.resolve() == one
    assert target.undo() == "nothing" and not target.link.exists()
    with pytest.raises(FailedPrecondition, match="serves nothing"):
        target.undo()


def test_what_is_no_model_or_no_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="not a model folder"):
        FolderTarget(tmp_path / "served").put("gen/1", tmp_path / "empty")
    with pytest.raises(InvalidInput, match="is not a link"):
        FolderTarget(tmp_path / "empty").put("gen/1", model(tmp_path / "one"))
    for text in ("served", "folder:served", "deployment:", "s3://x"):
        with pytest.raises(InvalidInput, match="not a place to serve from"):
            open_target(text)


def test_only_pinned_versions_are_served(tmp_path: Path) -> None:
    words = ["rollout", "put", f"folder:{tmp_path}/served", str(model(tmp_path / "one"))]
    result = CliRunner().invoke(app, [*words, "--version", "gen@champion"])
    assert result.exit_code == 2 and "is not pinned" in result.output
    assert not (tmp_path / "served").exists()
    assert CliRunner().invoke(app, [*words, "--version", "gen/3"]).exit_code == 0


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    with kube_api() as found:
        monkeypatch.setenv("KUBECONFIG", str(found.kubeconfig(tmp_path)))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        found.add_deployment("sr", "super-resolver")
        yield found


def test_a_deployment_serves_another_folder_and_goes_back(api: KubeApi) -> None:
    words = ["rollout", "put", "deployment:training/sr", "/weights/up-2", "--version", "up/2"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert api.weights_of("sr") == {VARIABLE: "/weights/up-2"}
    notes = api.deployments["sr"]["metadata"]["annotations"]
    assert notes["omnireel.dev/model-version"] == "up/2"
    assert "as before" in CliRunner().invoke(app, words).output
    assert api.deployments["sr"]["metadata"]["generation"] == 2

    words = ["rollout", "undo", "deployment:training/sr"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert api.weights_of("sr") == {}  # the chart's own again
    assert "does not remember" in CliRunner().invoke(app, words).output


def test_pods_that_do_not_come_up_are_taken_back(api: KubeApi) -> None:
    target = DeploymentTarget.connect("sr", "")
    assert target.put("up/2", Path("/weights/up-2"))
    api.stuck = True
    slow = replace(target, wait=WaitConfig(0.0, 0.01))
    with pytest.raises(DeadlineExceeded, match="was set back"):
        slow.put("up/3", Path("/weights/up-3"))
    assert api.weights_of("sr") == {VARIABLE: "/weights/up-2"}
    notes = api.deployments["sr"]["metadata"]["annotations"]
    assert notes["omnireel.dev/model-version"] == "up/2"


def test_a_repeated_put_waits_for_the_pods_as_the_first_did(api: KubeApi) -> None:
    """The first was killed while it waited: the pods that answer still have the old model."""
    words = ["rollout", "put", "deployment:training/sr", "/weights/up-2", "--version", "up/2"]
    api.stuck = True
    api.patch("sr", _patch_of("up/2", "/weights/up-2", before=""))
    result = CliRunner().invoke(app, [*words, "--wait-s", "0"])
    assert result.exit_code == 1 and "was set back" in result.output
    assert api.weights_of("sr") == {}


def test_a_repeated_put_that_remembers_nothing_only_fails(api: KubeApi) -> None:
    target = DeploymentTarget.connect("sr", "", WaitConfig(0.0, 0.01))
    api.stuck = True
    api.patch("sr", _patch_of("up/2", "/weights/up-2", before=None))
    with pytest.raises(DeadlineExceeded, match=r"not ready within 0 s$"):
        target.put("up/2", Path("/weights/up-2"))
    assert api.weights_of("sr") == {VARIABLE: "/weights/up-2"}


def _patch_of(version: str, weights: str, *, before: str | None) -> dict[str, Any]:
    notes = {"omnireel.dev/model-version": version, "omnireel.dev/previous-weights": before}
    container = {"name": "super-resolver", "env": [{"name": VARIABLE, "value": weights}]}
    return {
        "metadata": {"annotations": notes},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def test_waiting_rides_over_an_api_that_is_away_for_a_while(api: KubeApi) -> None:
    target = DeploymentTarget.connect("sr", "", WaitConfig(60.0, 0.01))
    looks = 0

    def done() -> bool:
        nonlocal looks
        looks += 1
        if looks == 2:
            api.outage = 3
        return rolled_out(target._read()) and looks > 5

    wait_until(done, 60.0, 0.0, "it was not so")
    assert looks == 6 and not api.outage
    api.outage = 1
    with pytest.raises(Unavailable, match="the API is starting"):
        wait_until(lambda: rolled_out(target._read()), -1.0, 0.0, "it was not so")


def test_what_is_not_served_is_not_undone(api: KubeApi, tmp_path: Path) -> None:
    words = ["rollout", "undo", "deployment:training/sr", "--if-model"]
    DeploymentTarget.connect("sr", "").put("up/2", Path("/weights/up-2"))
    result = CliRunner().invoke(app, [*words, "/weights/up-3"])
    assert result.exit_code == 0 and "does not serve /weights/up-3" in result.output
    assert api.weights_of("sr") == {VARIABLE: "/weights/up-2"}
    for _ in range(2):
        assert CliRunner().invoke(app, [*words, "/weights/up-2"]).exit_code == 0
        assert api.weights_of("sr") == {}
    link = FolderTarget(tmp_path / "served")
    assert link.undo(tmp_path) == ""
    link.put("gen/1", model(tmp_path / "one"))
    assert link.undo(tmp_path / "two") == "" and link.link.exists()
    assert link.undo(tmp_path / "one") == "nothing" and not link.link.exists()


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_a_trial_ends_with_a_champion_or_nowhere(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    version = register(SHIPPED_TINY / "enhancer", name="enhancer", tracking_uri=uri)
    set_alias(version.ref, "canary", tracking_uri=uri)
    tried = model(tmp_path / "models" / version.ref)
    places = [FolderTarget(tmp_path / name) for name in ("canary", "service")]
    words = ["rollout", "settle", version.ref, str(tried), "--mlflow", uri]
    words += [f"folder:{place.link}" for place in places]
    for place in places:
        place.put(version.ref, tried)
    result = CliRunner().invoke(app, [*words, "folder:relative"])
    assert result.exit_code == 2 and all(place.link.exists() for place in places)

    for _ in range(2):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        assert not any(place.link.exists() for place in places)
        assert Registry.open(uri).resolve(version.ref).aliases == ()

    places[0].put(version.ref, tried)
    Registry.open(uri).client.set_registered_model_alias("enhancer", "champion", "1")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and "is the champion" in result.output
    assert places[0].link.exists()


def test_other_deployments_are_left_alone(api: KubeApi) -> None:
    api.add_deployment("web", "gateway")
    with pytest.raises(FailedPrecondition, match="is not one of generator"):
        DeploymentTarget.connect("web", "").put("gen/1", Path("/weights/x"))
    with pytest.raises(NotFound, match="no Deployment nowhere"):
        DeploymentTarget.connect("nowhere", "").put("gen/1", Path("/weights/x"))


def watch(address: str, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["rollout", "watch", "--address", address, *words])
    return result.exit_code, result.output


def test_watching_counts_what_comes_back(tmp_path: Path) -> None:
    with FakeGateway() as gateway:
        code, text = watch(gateway.address, "--requests", "2")
        assert code == 0 and "passed: 2 made, 0 failed" in text
        assert len(gateway.seen.creates) == 2
    refusal = status_pb2.Status(code=code_pb2.INTERNAL, message="no device")
    with FakeGateway(Script(create_error=refusal)) as gateway:
        answer = tmp_path / "answer"
        code, text = watch(gateway.address, "--requests", "3", "--answer", str(answer))
        assert code == 0 and answer.read_text() == "refused"
        assert "no device" in text and "0 made, 1 failed" in text  # the first failure is enough
        assert watch(gateway.address, "--requests", "3")[0] == 1
    assert watch("127.0.0.1:1", "--requests", "2", "--max-failures", "2")[0] == 2
