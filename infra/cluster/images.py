"""Images into the node, without a registry."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.cluster.config import ClusterConfig
from infra.cluster.node import PAUSE, ctr


class ImageError(RuntimeError):
    """An image cannot be built or loaded."""


def load(config: ClusterConfig, image: str) -> None:
    """Copy an image of buildah's own store to the node.

    Raises:
        ImageError: there is no such image, or the node does not take it.
    """
    with tempfile.TemporaryDirectory(prefix="image-", dir=config.home) as folder:
        archive = Path(folder) / "image.tar"
        _buildah("push", "--disable-compression", image, f"oci-archive:{archive}:{image}")
        done = ctr(config, "images", "import", str(archive))
    if done.returncode:
        raise ImageError(f"the node does not take {image}: {done.stderr}")


def load_pause(config: ClusterConfig, pause: Path) -> None:
    """Make and load the image that holds a pod's namespaces."""
    with tempfile.TemporaryDirectory(prefix="pause-") as folder:
        shutil.copy(pause, Path(folder) / "pause")
        dockerfile = Path(folder) / "Dockerfile"
        dockerfile.write_text(
            'FROM scratch\nCOPY pause /\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n',
            encoding="utf-8",
        )
        _buildah("bud", "--tag", PAUSE, "-f", str(dockerfile), folder)
    load(config, PAUSE)
    _buildah("rmi", PAUSE)


def _buildah(*words: str) -> None:
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"buildah {words[0]}: {done.stderr.strip()}")
