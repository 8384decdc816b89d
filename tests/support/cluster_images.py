"""The images of the cluster tests: the real services, small servers, and test engines."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.images.base import NAME as BASE
from infra.images.base import PACKAGES, make_base
from infra.images.build import ROOT, build, find_builder, version
from tests.support.charts import Object
from tests.support.s3_server import build as build_versitygw
from tests.support.s3_server import go_toolchain

PREFIX = "localhost/omnireel-test"
SERVERS_BASE = f"{PREFIX}/servers-base:1"
SERVERS = f"{PREFIX}/servers:1"
SERVICES = f"localhost/omnireel/services:{version()}"
ENGINES = f"{PREFIX}/engines:{version()}"
TRAINER = f"{PREFIX}/training:{version()}"
ONLY_GPUS = (
    "triton", "nvidia-cusolver", "nvidia-nvjitlink", "cuda-bindings", "cuda-pathfinder",
    "nvidia-cuda-cccl", "nvidia-nvtx",
)  # fmt: skip
"""What torch does without on a node that has none."""
DOCKERFILE = ROOT / "tests" / "cluster" / "images" / "Dockerfile"


def reference(image: str) -> Object:
    """As in the chart's values."""
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


def build_images() -> tuple[str, ...]:
    """Build what is not there or has changed, with buildah; their names."""
    if not _there(BASE):
        make_base()
    if not _there(SERVERS_BASE):
        make_base(SERVERS_BASE, (*PACKAGES, "postgresql", "redis-server"))
    build(find_builder("buildah"), "services", SERVICES, base=BASE)
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copy(build_versitygw(go_toolchain()), context / "versitygw")
        for part in ("tests/cluster/images", "tests/support"):
            shutil.copytree(
                ROOT / part, context / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        _from_dockerfile("servers", SERVERS, context)
        _from_dockerfile("engines", ENGINES, context)
    return SERVERS, SERVICES, ENGINES


def build_trainer() -> str:
    """The training image as `make images` builds it, without what only GPUs need; its name."""
    if not _there(BASE):
        make_base()
    build(find_builder("buildah"), "training", TRAINER, base=BASE, without=ONLY_GPUS)
    return TRAINER


def size(image: str) -> str:
    """As buildah says it."""
    command = ["buildah", "images", "--format", "{{.Size}}", image]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _from_dockerfile(target: str, image: str, context: Path) -> None:
    subprocess.run(
        ["buildah", "bud", "--layers", "--pull-never", "--isolation", "chroot",
         "--network", "host", "--target", target, "--tag", image,
         "--build-arg", f"BASE={SERVERS_BASE}", "--build-arg", f"SERVICES={SERVICES}",
         "-f", str(DOCKERFILE), str(context)],
        check=True,
    )  # fmt: skip


def _there(image: str) -> bool:
    question = ["buildah", "inspect", "--type", "image", image]
    return subprocess.run(question, capture_output=True, check=False).returncode == 0
