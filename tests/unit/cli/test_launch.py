"""``--launcher trainjob``: the manifest, and submit, follow and cancel over real HTTP."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omnireel.cli.launch.cluster import Cluster
from omnireel.cli.launch.follow import FollowConfig, follow, state_of, submit
from omnireel.cli.launch.manifest import OWNER_POD, JobConfig, Owner, job_name, train_job
from omnireel.cli.launch.recipe import RecipeRun
from omnireel.cli.main import app
from omnireel.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from tests.support.kube_api import KubeApi, kube_api

RUN = RecipeRun(
    "generator-debug", Path("/runs/x"), Path("/runs/cache"), "http://mlflow:5000",
    overrides=("trainer.num_steps=9",), name="clips", parent="abc", copy_to="s3://b/x",
)  # fmt: skip
NAME = job_name("generator-debug", "/runs/x")
QUICK = FollowConfig(poll_s=0.01, silence_s=5.0)
TRAIN = [
    "train", "generator-debug", "--launcher", "trainjob", "--out", "/runs/x",
    "--cache", "/runs/cache", "--mlflow", "off",
]  # fmt: skip


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    with kube_api() as found:
        monkeypatch.setenv("KUBECONFIG", str(found.kubeconfig(tmp_path)))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield found


def test_the_manifest_says_all_and_no_more() -> None:
    settings = ["nodes=2,processes=8", "queue=research", "priority=high", "gpus=8", "memory=512Gi"]
    config = JobConfig.of_settings([*settings, "namespace=training"])
    found = train_job(NAME, RUN.words(), config, Owner("step-1", "uid-1"))
    trainer = found["spec"]["trainer"]
    assert trainer["command"] == [
        "torchrun", "-m", "omnireel.cli.main", "train", "generator-debug", "--continue",
        "--out", "/runs/x", "--cache", "/runs/cache", "--mlflow", "http://mlflow:5000",
        "--run-name", "clips", "--run-parent", "abc", "--copy-to", "s3://b/x", "--set",
        "trainer.num_steps=9",
    ]  # fmt: skip
    assert (trainer["numNodes"], trainer["numProcPerNode"]) == (2, 8)
    wanted = {"memory": "512Gi", "nvidia.com/gpu": "8"}
    assert trainer["resourcesPerNode"] == {"requests": wanted, "limits": wanted}
    assert found["spec"]["runtimeRef"] == {
        "apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": "omnireel",
    }  # fmt: skip
    labels = found["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "research"
    assert labels["kueue.x-k8s.io/priority-class"] == "high"
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", "step-1", "uid-1")
    step = {"OMNIREEL_OWNER_NAME": "step-1", "OMNIREEL_OWNER_UID": "uid-1"}
    for namespace, owned in (("training", True), ("kubeflow", False)):
        told = Owner.of_environment({**step, "OMNIREEL_NAMESPACE": namespace})
        metadata = train_job(NAME, RUN.words(), config, told)["metadata"]
        assert ("ownerReferences" in metadata) is owned
        assert metadata["annotations"][OWNER_POD].endswith("step-1")

    plain = train_job(NAME, RUN.words(), JobConfig(), None)
    assert set(plain["spec"]["trainer"]) == {"command"}  # the rest is the runtime's
    assert set(plain["metadata"]) == {"name", "labels", "annotations"}


def test_names_are_labels_of_dns() -> None:
    name = job_name("Generator_Tiny.Quality" * 4, "/runs/a")
    assert len(name) <= 63 and name[0].isalpha()
    assert name.replace("-", "").isalnum() and name == name.lower()
    assert job_name("vae-tiny", "/runs/a") != job_name("vae-tiny", "/runs/b")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("nodes=two", "whole number"),
        ("colour=red", "unknown job setting"),
        ("nodes=-1", "negative"),
        ("runtime_kind=Job", "is not a runtime"),
    ],
)
def test_wrong_settings_are_refused(setting: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        JobConfig.of_settings([setting])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "vae-debug", "--launcher", "slurm"], "not a launcher"),
        (["train", "vae-debug", "--job", "nodes=2"], "add --launcher trainjob"),
        (["train", "vae-debug", "--launcher", "trainjob"], "folder of this machine"),
        (
            ["train", "vae-debug", "--launcher", "trainjob", "--out", "/runs/x", "--cache", "/c"],
            "cannot share an SQLite file",
        ),
    ],
)
def test_what_cannot_work_elsewhere_is_refused_here(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and said in result.output


def test_a_job_is_followed_to_its_end(api: KubeApi) -> None:
    active = {"jobsStatus": [{"name": "node", "active": 1}]}
    api.script = [
        ("Suspended", {}),
        ("", active),
        ("Complete", {}),
    ]
    cluster = Cluster.connect()
    assert cluster.namespace == "training"
    submit(cluster, "generator-debug", "/runs/x", RUN.words(), JobConfig(), None)
    api.add_pod("node-0", job=NAME)
    api.logs["node-0"] = ["step 1", "step 2"]
    told: list[str] = []
    follow(cluster, NAME, told.append, QUICK)
    assert told == [
        f"{NAME}: queued (so)", f"{NAME}: running", "step 1", "step 2", f"{NAME}: complete (so)",
    ]  # fmt: skip
    assert api.deleted == []


def test_a_failed_job_is_an_error_with_its_reason(api: KubeApi) -> None:
    api.script = [("Failed", {})]
    cluster = Cluster.connect()
    submit(cluster, "generator-debug", "/runs/x", RUN.words(), JobConfig(), None)
    with pytest.raises(FailedPrecondition, match=f"job {NAME} failed: so"):
        follow(cluster, NAME, lambda line: None, QUICK)
    # The same command again: the failed one makes room, and the new one goes on.
    submit(cluster, "generator-debug", "/runs/x", RUN.words(), JobConfig(), None, QUICK)
    assert api.deleted == [NAME] and len(api.created) == 2


def test_a_job_waits_for_the_pods_of_the_one_before(api: KubeApi) -> None:
    cluster = Cluster.connect()
    submit(cluster, "generator-debug", "/runs/x", RUN.words(), JobConfig(), None, QUICK)
    api.add_pod("node-0", NAME)
    api.lingering = 3
    cluster.delete(NAME)
    submit(cluster, "generator-debug", "/runs/x", RUN.words(), JobConfig(), None, QUICK)
    assert len(api.created) == 2 and not api.pods and api.lingering == -1


def test_a_job_at_work_is_taken_over_or_respected(api: KubeApi) -> None:
    cluster = Cluster.connect()
    for _ in range(2):
        submit(cluster, "generator-debug", "/runs/x", RUN.words(), JobConfig(), None)
    assert len(api.created) == 1
    with pytest.raises(AlreadyExists, match="with other settings"):
        submit(cluster, "generator-debug", "/runs/x", ["train", "other"], JobConfig(), None)


def test_sigterm_deletes_the_job(api: KubeApi) -> None:
    command = [sys.executable, "-m", "omnireel.cli.main", *TRAIN]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = ""
        while "starting" not in line:
            line = process.stderr.readline()
            assert line, "it ended too early"
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 1
    assert f"job {NAME} was deleted" in rest
    assert api.deleted == [NAME] and not api.jobs


def test_what_the_cluster_answers_is_one_line(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.refuse = "runtimeRef: not found"
    result = CliRunner().invoke(app, TRAIN)
    assert result.exit_code == 2 and "runtimeRef: not found" in result.output
    api.installed = False
    result = CliRunner().invoke(app, TRAIN)
    assert result.exit_code == 1 and "install the Kubeflow Trainer first" in result.output
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(FailedPrecondition, match="no cluster is configured"):
        Cluster.connect()


def test_a_silent_cluster_is_an_error_in_the_end(api: KubeApi, tmp_path: Path) -> None:
    text = (tmp_path / "kubeconfig").read_text().replace(api.address, "http://127.0.0.1:1")
    (tmp_path / "kubeconfig").write_text(text)
    with pytest.raises(Unavailable, match="does not answer"):
        follow(Cluster.connect(), NAME, lambda line: None, FollowConfig(0.01, 0.0))


def test_a_job_that_someone_else_deleted_is_told(api: KubeApi) -> None:
    with pytest.raises(FailedPrecondition, match="deleted by someone else"):
        follow(Cluster.connect(), NAME, lambda line: None, QUICK)


def test_states_are_read_from_conditions() -> None:
    def conditions(**held: str) -> dict[str, object]:
        return {"status": {"conditions": [{"type": k, "status": v} for k, v in held.items()]}}

    assert state_of({})[0] == "starting"
    assert state_of(conditions(Suspended="True"))[0] == "queued"
    assert state_of(conditions(Suspended="False"))[0] == "starting"
    assert state_of(conditions(Suspended="False", Complete="True"))[0] == "complete"
    assert state_of(conditions(Failed="True"))[0] == "failed"


def test_the_reaper_takes_what_nobody_waits_for(api: KubeApi) -> None:
    cluster = Cluster.connect()
    for number, phase in enumerate(("Running", "Failed", "")):
        pod = f"step-{number}"
        if phase:
            api.add_pod(pod, phase=phase)
        cluster.create(train_job(f"job-{number}", ["x"], JobConfig(), Owner(pod, "uid")))
    cluster.create(train_job("job-by-hand", ["x"], JobConfig(), None))
    elsewhere = train_job("job-of-elsewhere", ["x"], JobConfig(), None)
    elsewhere["metadata"]["annotations"][OWNER_POD] = "kubeflow/step-9"
    cluster.create(elsewhere)
    cluster.create(train_job("job-ended", ["x"], JobConfig(), None))
    api.set_state("job-ended", "Complete")
    api.jobs["job-ended"]["status"]["conditions"][0]["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    words = ["train", "jobs", "reap"]
    said = CliRunner().invoke(app, [*words, "--dry-run"]).output
    assert api.deleted == [] and said.count("would be deleted") == 3
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert api.deleted == ["job-1", "job-2", "job-ended"]
    assert "its step step-1 has ended" in result.output
    assert "its step step-2 is gone" in result.output


def test_jobs_are_listed_and_cancelled(api: KubeApi) -> None:
    Cluster.connect().create(train_job("job-1", ["x"], JobConfig(), None))
    api.set_state("job-1", "Suspended")
    listed = CliRunner().invoke(app, ["train", "jobs", "list"]).output
    assert listed == "job-1  queued\n"
    assert CliRunner().invoke(app, ["train", "jobs", "cancel", "job-1"]).exit_code == 0
    assert CliRunner().invoke(app, ["train", "jobs", "list"]).output == "no jobs\n"
    with pytest.raises(NotFound):
        Cluster.connect().get("job-1")
    assert CliRunner().invoke(app, ["train", "jobs", "cancel", "job-1"]).exit_code == 1


def test_permission_denied_is_told() -> None:
    from omnireel.cli.launch.cluster import _error

    class Refusal:
        status, body, reason = 403, "trainjobs is forbidden", ""

    assert isinstance(_error(Refusal(), "x"), PermissionDenied)
