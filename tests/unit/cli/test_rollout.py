"""``omnireel rollout``: a link, a Deployment over real HTTP, and watching a gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc import code_pb2, status_pb2
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.cli.rollout.deployment import DeploymentTarget
from omnireel.cli.rollout.targets import FolderTarget, WaitConfig, open_target
from omnireel.errors import DeadlineExceeded, FailedPrecondition, InvalidInput, NotFound
from tests.support.gateway import FakeGateway, Script
from tests.support.kube_api import KubeApi, kube_api

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
    with pytest.raises(NotFound, match="no model folder"):
        FolderTarget(tmp_path / "served").put("gen/1", tmp_path / "empty")
    with pytest.raises(InvalidInput, match="is no link"):
        FolderTarget(tmp_path / "empty").put("gen/1", model(tmp_path / "one"))
    for text in ("served", "folder:served", "deployment:", "s3://x"):
        with pytest.raises(InvalidInput, match="no place to serve from"):
            open_target(text)


def test_only_pinned_versions_are_served(tmp_path: Path) -> None:
    words = ["rollout", "put", f"folder:{tmp_path}/served", str(model(tmp_path / "one"))]
    result = CliRunner().invoke(app, [*words, "--version", "gen@champion"])
    assert result.exit_code == 2 and "pin one" in result.output
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
    slow = DeploymentTarget(target.apps, "sr", "training", WaitConfig(0.0, 0.01))
    with pytest.raises(DeadlineExceeded, match="was set back"):
        slow.put("up/3", Path("/weights/up-3"))
    assert api.weights_of("sr") == {VARIABLE: "/weights/up-2"}
    notes = api.deployments["sr"]["metadata"]["annotations"]
    assert notes["omnireel.dev/model-version"] == "up/2"


def test_other_deployments_are_left_alone(api: KubeApi) -> None:
    api.add_deployment("web", "gateway")
    with pytest.raises(FailedPrecondition, match="is none of generator"):
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
