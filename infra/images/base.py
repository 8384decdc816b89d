"""A base image from Debian's packages, for where no registry is in reach: ``make base-image``.

Needs mmdebstrap and buildah, and root. It is Debian's Python, not the official image of that name.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

SUITE = "bookworm"
NAME = f"localhost/debian-{SUITE}-python:3.11"
PACKAGES = ("ca-certificates", "python3", "python3-venv")
# mmdebstrap copies the host's; a container has its own.
CLEAN = (
    'cd "$1" && rm -f etc/resolv.conf etc/hostname && rm -rf var/cache/apt/* var/lib/apt/lists/*'
)


def make_base(name: str = NAME, packages: tuple[str, ...] = PACKAGES) -> None:
    """Make the image ``name`` of Debian's minimal system with ``packages``.

    Raises:
        subprocess.CalledProcessError: a program says no; its words are on standard error.
    """
    with tempfile.TemporaryDirectory(prefix="omnireel-base-") as folder:
        tar = Path(folder) / "root.tar"
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}",
             f"--customize-hook={CLEAN}", SUITE, str(tar)],
            check=True,
        )  # fmt: skip
        dockerfile = Path(folder) / "Dockerfile"
        dockerfile.write_text(
            'FROM scratch\nADD root.tar /\nENV LANG=C.UTF-8\nCMD ["python3"]\n', encoding="utf-8"
        )
        subprocess.run(["buildah", "bud", "--tag", name, "-f", str(dockerfile), folder], check=True)


if __name__ == "__main__":
    try:
        make_base()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
    print(NAME)
