"""What the Dockerfile builds is what the charts run, and the cache key covers what it reads."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from infra.images import build as images

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "infra/images/Dockerfile").read_text()
STAGES = dict(
    re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.DOTALL | re.MULTILINE)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("target", images.TARGETS)
def test_every_image_runs_as_a_numbered_user_with_its_parts_list(target: str) -> None:
    assert "\nUSER 10001:10001\n" in STAGES[target]
    assert "add_package.sh" in STAGES[target]
    assert images.SBOM in (ROOT / "infra/images/add_package.sh").read_text()


def test_charts_run_images_that_are_built() -> None:
    used = set()
    for chart in ("omnireel", "omnireel-training"):
        values = yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text())
        named = values.get("images") or {"image": values["image"]}
        used |= {
            v["repository"] for v in named.values() if isinstance(v, dict) and v.get("repository")
        }
    assert used == {f"omnireel/{target}" for target in images.TARGETS}


def test_extras_exist_and_kfp_is_in_no_image() -> None:
    extras = set(re.findall(r"--extra (\S+)", DOCKERFILE))
    assert extras <= set(PROJECT["optional-dependencies"])
    assert "pipelines" not in extras
    assert {"train", "kubernetes", "mlflow-server"} <= extras


def test_what_is_read_reaches_the_build_and_counts() -> None:
    """The builder is sent every file that is mounted or copied; a change of it makes new layers."""
    ignored = (ROOT / "infra/images/Dockerfile.dockerignore").read_text().split()
    read = set(re.findall(r"type=bind,source=([\w./]+)", DOCKERFILE))
    for line in re.findall(r"^COPY ((?:\w\S* )+)/src", DOCKERFILE, re.MULTILINE):
        read |= set(line.split())
    assert read and {f"!{path}" for path in read} <= set(ignored)
    counted = {path for paths in images.READ.values() for path in paths}
    assert read - counted == {"README.md", "LICENSE"}
    for name in images.READ:
        assert f"ARG {name}\n" in DOCKERFILE


def test_a_changed_file_is_a_changed_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "ROOT", tmp_path)
    (tmp_path / "folder/__pycache__").mkdir(parents=True)
    (tmp_path / "folder/a.py").write_text("1")
    before = images._content(("folder",))
    (tmp_path / "folder/__pycache__/a.pyc").write_text("x")
    assert images._content(("folder",)) == before
    (tmp_path / "folder/a.py").write_text("2")
    assert images._content(("folder",)) != before


def test_a_refusal_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(images.BuildError, match="no docker, podman or buildah that works here"):
        images.find_builder()


def test_the_parts_list_is_read_in_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(tuple(command))
        said = {"from": "working\n", "run": "{}", "docker": "{}"}
        return subprocess.CompletedProcess(command, 0, said.get(command[1], "{}"), "")

    monkeypatch.setattr("subprocess.run", run)
    docker, _, buildah = images.BUILDERS
    assert images.parts_list(docker, "a:1") == "{}"
    assert ran == [("docker", "run", "--rm", "a:1", "cat", images.SBOM)]
    ran.clear()
    assert images.parts_list(buildah, "a:1") == "{}"
    assert [command[1] for command in ran] == ["from", "run", "rm"]
    assert ran[-1] == ("buildah", "rm", "working")


def test_images_have_the_tag_that_is_asked_for() -> None:
    assert images.names("registry.example.com/a", ("services", "models"), "0.1.0-7c1866a") == {
        "services": "registry.example.com/a/services:0.1.0-7c1866a",
        "models": "registry.example.com/a/models:0.1.0-7c1866a",
    }
    assert "$(if $(TAG),--tag $(TAG))" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("tag", ["", "-a", ".a", "a/b", "a:b", "a b", "a" * 129])
def test_what_is_not_a_tag_is_refused_before_anything_is_built(tag: str) -> None:
    with pytest.raises(images.BuildError, match="cannot be a tag"):
        images.names("a", ("services",), tag)


def test_pages_name_images_that_are_built() -> None:
    found = []
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("charts/*/*.md")):
        # Not the registry that the names begin with, as in REGISTRY=registry.example.com/omnireel.
        found += re.findall(r"(?<!REGISTRY=)\bregistry\.example[\w.]*/[\w/-]+", page.read_text())
    assert found
    built = {f"registry.example.com/omnireel/{target}" for target in images.TARGETS}
    assert {name for name in found if not name.endswith("/")} <= built
