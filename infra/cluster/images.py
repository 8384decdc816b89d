"""Images into the node, without a registry."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.cluster.config import ClusterConfig
from infra.cluster.node import ctr


class ImageError(RuntimeError):
    """An image cannot be built or loaded."""


def load(config: ClusterConfig, image: str) -> None:
    """Copy an image of buildah's own store to the node.

    Raises:
        ImageError: there is no such image, or the node does not take it.
    """
    # Through a pipe: an archive of the largest would take as much of the disk again.
    push = ["buildah", "push", "--quiet", image, f"docker-archive:/dev/stdout:{image}"]
    with tempfile.TemporaryFile("w+") as said:
        buildah = subprocess.Popen(push, stdout=subprocess.PIPE, stderr=said)
        assert buildah.stdout is not None
        done = ctr(config, "images", "import", "-", stdin=buildah.stdout)
        buildah.stdout.close()
        if buildah.wait():
            said.seek(0)
            raise ImageError(f"buildah does not give {image}: {said.read().strip()}")
    if done.returncode:
        raise ImageError(f"the node does not take {image}: {done.stderr}")


def load_program(config: ClusterConfig, image: str, program: Path, path: str) -> None:
    """Make and load an image that holds one static program, which lies at ``path`` in it."""
    with tempfile.TemporaryDirectory(prefix="program-") as folder:
        shutil.copy(program, Path(folder) / "program")
        dockerfile = Path(folder) / "Dockerfile"
        dockerfile.write_text(
            f'FROM scratch\nCOPY program {path}\nUSER 65535:65535\nENTRYPOINT ["{path}"]\n',
            encoding="utf-8",
        )
        _buildah("bud", "--tag", image, "-f", str(dockerfile), folder)
    load(config, image)
    _buildah("rmi", image)


def _buildah(*words: str) -> None:
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"buildah {words[0]}: {done.stderr.strip()}")
