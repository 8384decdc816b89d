"""Builds the images with docker, podman or buildah, whichever is there: ``make images``.

The last lines are the images with their sizes; their parts lists (CycloneDX) are in dist/images.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = ROOT / "dist" / "images"
TARGETS = ("services", "models")
SBOM = "/opt/omnireel/sbom.cdx.json"


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


def build(builder: Builder, target: str, tag: str, *, base: str | None = None) -> None:
    """Build one image from infra/images/Dockerfile.

    Raises:
        BuildError: the builder says no; its words are on standard error.
    """
    command = [*builder.build, "-f", str(ROOT / "infra" / "images" / "Dockerfile")]
    command += ["--target", target, "--tag", tag]
    if base:
        command += ["--build-arg", f"BASE={base}"]
    bundle = os.environ.get("SSL_CERT_FILE", "")
    if bundle and Path(bundle).is_file():
        command += ["--secret", f"id=cabundle,src={bundle}"]
    if builder.name == "buildah":
        command += ["--ignorefile", str(ROOT / "infra" / "images" / "Dockerfile.dockerignore")]
    run = subprocess.run(
        [*command, str(ROOT)], check=False, env={**os.environ, "DOCKER_BUILDKIT": "1"}
    )
    if run.returncode:
        raise BuildError(f"{tag} cannot be built; see the lines above")


def version() -> str:
    """That of the package, which is the images' tag."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def main() -> int:
    """Build every image that is asked for."""
    parser = argparse.ArgumentParser(prog="make images", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; none: all")
    parser.add_argument("--registry", default="omnireel", help="what the names begin with")
    parser.add_argument("--base", help="base image (BASE of the Dockerfile)")
    parser.add_argument("--builder", choices=[builder.name for builder in BUILDERS])
    given = parser.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"unknown image {sorted(unknown)[0]!r}; choose of: {', '.join(TARGETS)}")
    try:
        builder = find_builder(given.builder)
        for target in given.targets or TARGETS:
            tag = f"{given.registry}/{target}:{version()}"
            build(builder, target, tag, base=given.base)
            print(tag)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
