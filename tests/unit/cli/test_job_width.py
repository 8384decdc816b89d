"""Jobs that a recipe can use, and jobs that are refused before they are submitted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from omnireel.cli.ladder_jobs import below, check_jobs
from omnireel.cli.launch.manifest import JobConfig
from omnireel.cli.launch.width import check_width, fitted
from omnireel.cli.main import app
from omnireel.cli.parsing import several_settings
from omnireel.errors import InvalidInput
from omnireel.parallel import ParallelConfig
from omnireel.train import TrainerConfig
from tests.support.kfp_api import kfp_api
from tests.support.kube_api import KubeApi, kube_api

ROOT = Path(__file__).parents[3]
PAGES = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", *(ROOT / "charts").rglob("*.txt")]
NOWHERE = Path("/runs/x")
TRAIN = [
    "train", "generator-debug", "--launcher", "trainjob", "--out", "/runs/x", "--cache", "/runs/c",
    "--mlflow", "off",
]  # fmt: skip


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    with kube_api() as found:
        monkeypatch.setenv("KUBECONFIG", str(found.kubeconfig(tmp_path)))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield found


def trainer(accumulate: int, device: str = "cuda", **parallel: Any) -> TrainerConfig:
    return TrainerConfig(
        num_steps=1, accumulate=accumulate, device=device, parallel=ParallelConfig(**parallel)
    )


@pytest.mark.parametrize(
    ("config", "job", "said"),
    [
        (trainer(1), "nodes=2,gpus=8", "16 ranks cannot share the 1 batches"),
        (trainer(4), "nodes=2,processes=8,gpus=8", "a multiple of 16"),
        (trainer(1), "nodes=2", "a multiple of 2"),
        (trainer(4, ulysses=2), "nodes=2,gpus=8", "a multiple of 8"),
        (trainer(8, ulysses=3), "nodes=2,gpus=8", "cannot be cut into groups of 3"),
        (trainer(8, "cpu"), "gpus=8", "8 GPUs on each node, and it trains on CPUs"),
        (trainer(8), "processes=1,gpus=8", "each rank uses one GPU"),
    ],
)
def test_a_job_that_a_recipe_cannot_use_is_refused(
    config: TrainerConfig, job: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_width(config, JobConfig.of_settings([job]), "it")


@pytest.mark.parametrize(
    ("config", "job"),
    [
        (trainer(1), ""),
        (trainer(1), "gpus=1"),
        (trainer(1), "processes=1"),
        (trainer(16), "nodes=2,gpus=8"),
        (trainer(64), "nodes=2,processes=8,gpus=8"),
        (trainer(2, ulysses=8), "nodes=2,gpus=8"),
        (trainer(2, "cpu", ulysses=2), "nodes=2,processes=2"),
        (trainer(1, ulysses=4), "nodes=2"),  # how many GPUs there are, the runtime says
    ],
)
def test_a_job_that_fits_is_accepted(config: TrainerConfig, job: str) -> None:
    check_width(config, JobConfig.of_settings([job]), "it")


def test_a_recipe_on_cpus_has_one_rank_on_each_node_unless_told() -> None:
    """The Trainer would start a rank for each CPU that the runtime requests."""
    wide = ("trainer.accumulate=4",)
    config = JobConfig(nodes=2)
    assert fitted(config, "generator-debug", wide, NOWHERE) == replace(config, processes=1)
    told = JobConfig(nodes=2, processes=2)
    assert fitted(told, "generator-debug", wide, NOWHERE) == told
    gpus = JobConfig(nodes=2, gpus=2)
    assert fitted(gpus, "generator-base", (), NOWHERE) == gpus


def test_nothing_is_submitted_that_does_not_fit(api: KubeApi) -> None:
    result = CliRunner().invoke(app, [*TRAIN, "--job", "nodes=2"])
    assert result.exit_code == 2 and "2 ranks cannot share the 1 batches" in result.output
    assert api.created == []
    api.script = [("Complete", {})]
    result = CliRunner().invoke(app, [*TRAIN, "--job", "nodes=2", "--set", "trainer.accumulate=2"])
    assert result.exit_code == 0, result.output
    assert api.created[0]["spec"]["trainer"]["numProcPerNode"] == 1


def test_a_ladder_is_refused_before_its_first_rung(api: KubeApi, tmp_path: Path) -> None:
    words = ["train", "ladder", "--launcher", "trainjob", "--job", "nodes=2", "--mlflow", "off"]
    words += ["--out", str(tmp_path / "ladder"), "--cache", "/runs/c", "--smoke"]
    result = CliRunner().invoke(app, [*words, "--set", "vae.trainer.accumulate=2 "])
    assert result.exit_code == 2 and "keeper (keeper-debug)" in result.output
    assert api.created == [] and not (tmp_path / "ladder").exists()


def test_each_rung_is_told_and_copied_on_its_own(api: KubeApi, tmp_path: Path) -> None:
    api.script = [("Failed", {})]
    words = ["train", "ladder", "--launcher", "trainjob", "--job", "nodes=2", "--mlflow", "off"]
    words += ["--out", str(tmp_path / "ladder"), "--cache", "/runs/c", "--smoke"]
    words += ["--set", "*.trainer.accumulate=2 vae.trainer.num_steps=9"]
    CliRunner().invoke(app, [*words, "--copy-to", "s3://b/ladder?endpoint=http://s3:9000"])
    command = api.created[0]["spec"]["trainer"]["command"]
    assert {"trainer.accumulate=2", "trainer.num_steps=9"} <= set(command)
    assert command[command.index("--copy-to") + 1] == "s3://b/ladder/vae?endpoint=http://s3:9000"
    assert below("", Path("/runs/ladder/vae/run")) == ""


def test_what_is_certain_about_a_climb_is_an_error_and_the_rest_is_told() -> None:
    told: list[str] = []
    with pytest.raises(InvalidInput, match="enhancer-rl"):
        check_jobs("tiny", "", "nodes=2", told.append, smoke=False)
    check_jobs("tiny", "clips.trainer.accumulate=2", "nodes=2", told.append, smoke=False,
               last="clips")  # fmt: skip
    assert [line.split(" (")[0].rsplit(" ", 1)[1] for line in told] == ["vae", "keeper", "images"]
    told.clear()
    settings = "*.trainer.accumulate=16 *.trainer.device=cuda"
    check_jobs("tiny", settings, "nodes=2,gpus=8", told.append, smoke=True)
    assert told == []


def test_settings_come_in_one_word_or_in_several() -> None:
    formats = 'data.formats=[{"width": 32, "height": 32}]'
    assert several_settings([f"a.b=1 {formats} *.c-d=x", "", "e=2"]) == (
        "a.b=1", formats, "*.c-d=x", "e=2",
    )  # fmt: skip


def documented(*needed: str) -> list[list[str]]:
    """Command lines of the pages that have all the words ``needed``."""
    lines: list[str] = []
    for page in PAGES:
        text = re.sub(r"\{\{.*?\}\}", "x", page.read_text(encoding="utf-8"))
        lines += text.replace("\\\n", " ").splitlines()
    lines = [line for line in lines if line.lstrip().startswith("omnireel ")]
    commands = [shlex.split(line) for line in lines if all(word in line for word in needed)]
    return [words[1:] for words in commands if set(needed) <= set(words)]


@pytest.mark.parametrize("words", documented("train", "trainjob"), ids=shlex.join)
def test_a_documented_job_is_submitted(api: KubeApi, words: list[str]) -> None:
    api.script = [("Complete", {})]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert len(api.created) == 1


WHOLE = [words for words in documented("pipelines", "submit") if "..." not in words]


@pytest.mark.parametrize("words", WHOLE, ids=shlex.join)
def test_a_documented_workflow_is_submitted(words: list[str]) -> None:
    with kfp_api() as kfp:
        at = words.index("--endpoint") + 1
        words = [*words[:at], kfp.endpoint, *words[at + 1 :]]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        assert "unless" not in result.output and len(kfp.seen.runs) == 1


def test_pages_have_such_lines() -> None:
    assert len(documented("train", "trainjob")) >= 4
    assert documented("pipelines", "submit", "train_ladder")


def test_a_workflow_whose_job_does_not_fit_is_not_submitted() -> None:
    image = ["--image", "registry.example/omnireel:1.2.0"]
    with kfp_api() as kfp:
        words = ["pipelines", "submit", "train_ladder", *image, "--endpoint", kfp.endpoint]
        result = CliRunner().invoke(app, [*words, "-a", "job=nodes=2"])
        assert result.exit_code == 2 and "cannot share the 1 batches" in result.output
        words[2] = "preference_round"
        words += ["-a", "version=g/1", "-a", "name=g", "-a", "job=gpus=8"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2 and "preference-tiny trains on CPUs" in result.output
        assert kfp.seen.runs == []
