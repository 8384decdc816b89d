"""The shipped page is what its sources make, small, and keeps the rules that it is served under."""

from __future__ import annotations

import fcntl
import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from omnireel.errors import PromptSyntaxError
from omnireel.mvl import grammar
from services.gateway.http.studio_page import FOLDER, MEDIA_TYPES

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ROOT / "studio"
MAX_BYTES = 150_000
TEXTS = (
    "@Girl rides @Image_1's bike",
    "a@b.com and @@ and @{Girl}s",
    "x@{Girl}, @Girl@Boy @@Girl",
    "no names at all",
    "@A@{B}c@D",
)


@pytest.fixture(scope="module")
def tools() -> Path:
    """The page's build tools; installed once, as the lock file says."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, so the page cannot be built anew")
    installed = SOURCES / "node_modules" / ".package-lock.json"
    lock = SOURCES / "package-lock.json"
    with (SOURCES / "package.json").open() as one:
        fcntl.flock(one, fcntl.LOCK_EX)  # parallel test processes install once
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            run(npm, "ci", "--prefer-offline", "--no-audit", "--no-fund")
    return SOURCES / "node_modules" / ".bin"


def run(*command: str | Path, text: str = "") -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=SOURCES, input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_shipped_build_is_fresh(tools: Path, tmp_path: Path) -> None:
    run(tools / "tsc", "--noEmit")
    run("node", "build.mjs", tmp_path)
    names = {"index.html", *MEDIA_TYPES}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {path.name for path in FOLDER.iterdir()} == names
    for name in names:
        built = (tmp_path / name).read_bytes()
        assert built == (FOLDER / name).read_bytes(), f"{name} is stale; run `make studio`"


def test_it_is_small_and_fetches_nothing_from_elsewhere() -> None:
    texts = {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()}
    assert sum(map(len, texts.values())) < MAX_BYTES
    for name, text in texts.items():
        found = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not found, f"{name}: {found}"
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"<script(?![^>]* src=)| style=| on\w+=", texts["index.html"])


def test_the_page_reads_and_writes_mvl_as_the_server_does(tools: Path, tmp_path: Path) -> None:
    module = tmp_path / "mvl.mjs"
    run(tools / "esbuild", "src/mvl.ts", "--format=esm", f"--outfile={module}")
    script = f"""
      import {{ scan, write }} from "{module.as_uri()}";
      import {{ readFileSync }} from "node:fs";
      const {{ texts, prompts }} = JSON.parse(readFileSync(0, "utf8"));
      const tokens = texts.map((t) => scan(t).map((k) => [k.source, k.name]));
      console.log(JSON.stringify({{ tokens, written: prompts.map(write) }}));
    """
    draw = random.Random(1)
    pieces = ["@", "@@", "{", "}", "@Girl", "@{Boy}", "a", "1", " ", ".", "é", "_"]
    texts = [*TEXTS, *("".join(draw.choices(pieces, k=8)) for _ in range(2000))]
    legal = [text for text in texts if tokens_of(text) is not None]
    assert len(legal) > 200
    parts = [tokens_of(text) or [] for text in legal]
    prompts = [[{"mention" if m else "text": value} for value, m in some] for some in parts]
    found = json.loads(
        run(
            "node",
            "--input-type=module",
            "-e",
            script,
            text=json.dumps({"texts": legal, "prompts": prompts}),
        )
    )
    for text, some, tokens, written in zip(
        legal, parts, found["tokens"], found["written"], strict=True
    ):
        assert "".join(source for source, _ in tokens) == text
        assert [n for _, n in tokens if n is not None] == [v for v, m in some if m], text
        assert written == grammar.write(some), text


def tokens_of(text: str) -> list[tuple[str, bool]] | None:
    """What the server reads; None when it refuses."""
    try:
        return [(token.value, token.is_mention) for token in grammar.scan(text)]
    except PromptSyntaxError:
        return None
