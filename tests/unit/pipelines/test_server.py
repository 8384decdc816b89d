"""submit, status, logs and cancel through the real client, over real HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.main import app
from omnireel.errors import InvalidInput, NotFound, Unauthenticated, Unavailable
from pipelines.server import Server, ServerConfig
from tests.support.kfp_api import Script, kfp_api

IMAGE = "registry.example/omnireel:1.2.0"
SUBMIT = ["pipelines", "submit", "train_ladder", "--image", IMAGE, "--set", "last=vae"]


def omnireel(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.output


def test_a_run_is_submitted_with_its_spec_and_arguments() -> None:
    with kfp_api() as api:
        code, text = omnireel(*SUBMIT, "--endpoint", api.endpoint, "-a", "folder=/runs/x")
        assert (code, text) == (0, "run-1\n")
        again = omnireel(*SUBMIT, "--endpoint", api.endpoint)
        assert again[0] == 0
        assert api.seen.experiments == ["omnireel"]  # made once, found the second time
        run = api.seen.runs[0]
    assert run["experiment_id"] == "experiment-omnireel"
    assert run["runtime_config"]["parameters"] == {"folder": "/runs/x"}
    assert set(run["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}
    executors = run["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"]
    assert {e["container"]["image"] for e in executors.values()} == {IMAGE}


def test_status_watches_to_the_end() -> None:
    with kfp_api(Script(["RUNNING", "RUNNING", "SUCCEEDED"])) as api:
        code, text = omnireel(
            "pipelines", "status", "run-1", "--endpoint", api.endpoint,
            "--watch", "--every-s", "0.05",
        )  # fmt: skip
    assert code == 0
    assert text.splitlines() == [
        "RUNNING    clips", "SUCCEEDED  clips", "run-1 train_ladder: SUCCEEDED",
    ]  # fmt: skip


def test_a_failed_run_is_an_exit_status() -> None:
    with kfp_api(Script(["FAILED"])) as api:
        code, text = omnireel("pipelines", "status", "run-1", "--endpoint", api.endpoint)
    assert code == 1
    assert "run-1 train_ladder: FAILED step clips failed" in text


def test_logs_come_from_the_pods_that_are_there() -> None:
    with kfp_api(Script(["RUNNING"])) as api:
        words = ("pipelines", "logs", "run-1", "--endpoint", api.endpoint)
        code, text = omnireel(*words)
        assert (code, text) == (0, "== clips (RUNNING)\nstep 1 of 3\nstep 2 of 3\n")
        code, text = omnireel(*words, "--step", "clip")
        assert code == 1 and "valid: clips" in text
        api.script.logs.clear()
        code, text = omnireel(*words)
        assert code == 0 and "its pod was deleted" in text


def test_cancel_stops_a_run_and_leaves_a_finished_one() -> None:
    with kfp_api(Script(["RUNNING"])) as api:
        code, text = omnireel("pipelines", "cancel", "run-1", "--endpoint", api.endpoint)
        assert (code, text) == (0, "run-1 train_ladder: CANCELED\n")
        assert api.seen.terminated == ["run-1"]
    with kfp_api(Script(["SUCCEEDED"])) as api:
        assert omnireel("pipelines", "cancel", "run-1", "--endpoint", api.endpoint)[0] == 0
        assert api.seen.terminated == []


def test_failures_have_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with kfp_api(Script(token="secret", refuse_runs="unknown template format")) as api:
        server = Server(ServerConfig(api.endpoint))
        with pytest.raises(Unauthenticated, match="KFP_TOKEN"):
            server.look("run-1")
        monkeypatch.setenv("KFP_TOKEN", "secret")
        server = Server(ServerConfig(api.endpoint))
        with pytest.raises(NotFound, match="no run 'run-9'"):
            server.look("run-9")
        with pytest.raises(InvalidInput, match="unknown template format"):
            server.submit({}, {}, name="x", experiment="y")
        assert "".join(server.logs("run-1", "pod-1")) == "step 1 of 3\nstep 2 of 3\n"
        gone = api.endpoint
    with pytest.raises(Unavailable, match="no Kubeflow Pipelines server answers"):
        Server(ServerConfig(gone)).look("run-1")
    with pytest.raises(InvalidInput, match="is not the address"):
        ServerConfig("ml-pipeline:8888")


def test_wrong_arguments_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with kfp_api() as api:
        code, text = omnireel(*SUBMIT, "--endpoint", api.endpoint, "-a", "foldr=/x")
        assert code == 2 and "unknown argument 'foldr'" in text
        assert api.seen.paths == []
    code, text = omnireel("pipelines", "run", "train_ladder", "--out", str(tmp_path))
    assert code == 2 and "--local" in text
