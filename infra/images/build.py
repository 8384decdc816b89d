"""Builds the images with docker, podman or buildah, whichever is there: ``make images``.

Prints the images; their parts lists (CycloneDX) are in dist/images. Nodes pull a name once, so
images that replace running ones need a tag of their own (``TAG``).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = ROOT / "infra" / "images"
OUT = ROOT / "dist" / "images"
TARGETS = ("services", "models", "training")
SBOM = "/opt/omnireel/sbom.cdx.json"
READ = {
    "LIBRARIES": ("pyproject.toml", "constraints.txt", "infra/images/tools.txt"),
    "SOURCE": ("pyproject.toml", "infra/images/add_package.sh", "omnireel", "services"),
}
"""Arguments of the Dockerfile, and the files that each stands for."""
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests"""


class BuildError(RuntimeError):
    """An image cannot be built; the message says why."""


@dataclass(frozen=True)
class Builder:
    """One of the programs that build images: how it builds, and how it runs a command in one."""

    name: str
    build: tuple[str, ...]
    run: tuple[str, ...]


BUILDERS = (
    Builder("docker", ("docker", "build", "--network", "host"), ("docker", "run", "--rm")),
    Builder("podman", ("podman", "build", "--network", "host"), ("podman", "run", "--rm")),
    # The host's network, or it writes a bridge of its own where a cluster's plugins look.
    Builder(
        "buildah",
        ("buildah", "bud", "--layers", "--isolation", "chroot", "--network", "host"),
        (),
    ),
)


def find_builder(name: str | None = None) -> Builder:
    """The first that works, or the one called ``name``.

    Raises:
        BuildError: there is none.
    """
    for builder in BUILDERS:
        if name in (None, builder.name) and shutil.which(builder.name) and _works(builder):
            return builder
    wanted = name or "docker, podman or buildah"
    raise BuildError(f"no {wanted} that works here; on Debian as root: apt-get install buildah")


def _works(builder: Builder) -> bool:
    # A docker command without its daemon builds nothing.
    done = subprocess.run([builder.name, "info"], capture_output=True, check=False)
    return done.returncode == 0


def build(
    builder: Builder, target: str, tag: str, *, base: str | None = None, without: Sequence[str] = ()
) -> None:
    """Build one image from infra/images/Dockerfile; ``without`` names packages to leave out.

    Raises:
        BuildError: the builder says no; its words are on standard error.
    """
    contexts: list[str] = []
    if builder.name == "buildah":
        # A stage that comes whole from the cache cannot be mounted from; an image can.
        for stage in ("tools", "wheel"):
            image = f"localhost/omnireel-build/{stage}"
            _build(builder, stage, image, base, contexts)
            contexts += ["--build-context", f"{stage}=container-image://{image}"]
    if without:
        contexts += ["--build-arg", f"WITHOUT={' '.join(without)}"]
    _build(builder, target, tag, base, contexts)


def _build(
    builder: Builder, target: str, tag: str, base: str | None, options: Sequence[str]
) -> None:
    command = [*builder.build, *options, "-f", str(HERE / "Dockerfile")]
    command += ["--target", target, "--tag", tag]
    if base:
        command += ["--build-arg", f"BASE={base}"]
    for name, paths in READ.items():
        command += ["--build-arg", f"{name}={_content(paths)}"]
    bundle = os.environ.get("SSL_CERT_FILE", "")
    if bundle and Path(bundle).is_file():
        command += ["--secret", f"id=cabundle,src={bundle}"]
    if builder.name == "buildah":
        command += ["--ignorefile", str(HERE / "Dockerfile.dockerignore")]
    run = subprocess.run(
        [*command, str(ROOT)], check=False, env={**os.environ, "DOCKER_BUILDKIT": "1"}
    )
    if run.returncode:
        raise BuildError(f"{tag} cannot be built; see the lines above")


def _content(paths: Sequence[str]) -> str:
    """A hash of files and of the files in folders."""
    digest = hashlib.sha256()
    for path in map(ROOT.joinpath, paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def parts_list(builder: Builder, tag: str) -> str:
    """The list of what is in an image, as it stands in it.

    Raises:
        BuildError: the image has none.
    """
    if builder.run:
        return _output(*builder.run, tag, "cat", SBOM)
    container = _output("buildah", "from", "--pull-never", tag).strip()
    try:
        return _output("buildah", "run", "--isolation", "chroot", container, "--", "cat", SBOM)
    finally:
        _output("buildah", "rm", container)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def names(registry: str, targets: Sequence[str], tag: str) -> dict[str, str]:
    """Target to the full name of its image.

    Raises:
        BuildError: ``tag`` is not one.
    """
    if not TAG.fullmatch(tag):
        raise BuildError(
            f"{tag!r} cannot be a tag: letters, digits, '_', '.' and '-', at most 128, and the "
            "first is a letter, a digit or '_'"
        )
    return {target: f"{registry}/{target}:{tag}" for target in targets}


def version() -> str:
    """That of the package, which charts take as tag when their values name none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def main() -> int:
    """Build every image that is asked for."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; none: all")
    parser.add_argument("--registry", default="omnireel", help="what the names begin with")
    parser.add_argument(
        "--tag", default=version(),
        help="their tag (default: %(default)s, which charts take when their values name none)",
    )  # fmt: skip
    parser.add_argument("--base", help="base image (BASE of the Dockerfile)")
    parser.add_argument(
        "--without", nargs="+", default=(), metavar="PACKAGE",
        help="packages to leave out, as those that only GPUs need",
    )  # fmt: skip
    parser.add_argument("--builder", choices=[builder.name for builder in BUILDERS])
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"unknown image {sorted(unknown)[0]!r}; choose of: {', '.join(TARGETS)}")
    try:
        tags = names(given.registry, given.targets or TARGETS, given.tag)
        builder = find_builder(given.builder)
        for target, tag in tags.items():
            build(builder, target, tag, base=given.base, without=given.without)
            OUT.mkdir(parents=True, exist_ok=True)
            (OUT / f"{target}.cdx.json").write_text(parts_list(builder, tag), encoding="utf-8")
            print(tag)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
