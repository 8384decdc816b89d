"""``preference_round`` through Kubeflow's local runner; a person answers while it waits."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from omnireel.errors import NotFound
from omnireel.recipes.preference_questions import questions_hash
from omnireel.registry.publishing import register
from omnireel.registry.versions import Registry
from tests.support.engines.random_weights import LIMITS, save_random_weights
from tests.support.local_pipelines import artefact, run_locally
from tests.support.registry import fresh_registry

pytestmark = [pytest.mark.timeout(3000), pytest.mark.filterwarnings("ignore")]
PROMPTS = 4


class Person(threading.Thread):
    """Answers once the page is there: always the first clip."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.stop = threading.Event()

    def run(self) -> None:
        work = self.root / "preference_round/work"
        while not self.stop.is_set():
            if list((self.root / "preference_round/steps").glob("*/show-pairs/page")):
                break
            time.sleep(0.1)
        answers = {
            "format_version": 1,
            "questions": questions_hash(work / "questions"),
            "judge": "ann",
            "answers": {str(n): "first" for n in range(PROMPTS)},
        }
        (work / "inbox").mkdir(exist_ok=True)
        (work / "inbox/half.json").write_text('{"format_ver')  # still on its way
        (work / "inbox/ann.json").write_text(json.dumps(answers))


def test_a_round_waits_for_people_tunes_and_compares(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    # The recipe tunes on 32x32; the fixed cases on which versions are compared are larger.
    limits = replace(LIMITS, sizes=((32, 32), (64, 64)), max_frames=17)
    weights = save_random_weights(tmp_path / "weights", limits=limits)
    vae = register(weights / "vae", name="vae", tracking_uri=uri)
    before = register(weights / "generator", name="generator", parents=(vae.ref,), tracking_uri=uri)
    person = Person(tmp_path)
    person.start()
    settings = [f"prompts={PROMPTS}", "judge=people", "recipe=preference-debug", "cases=8"]
    arguments = {"version": before.ref, "name": "generator", "mlflow": uri}
    done = run_locally("preference_round", tmp_path, settings, arguments)
    person.stop.set()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed over" in done.stdout and "1 of 1 judges have answered" in done.stdout

    registry = Registry.open(uri)
    tuned = registry.resolve("generator/2")
    assert tuned.parents == (before.ref,) and tuned.data_manifest
    assert tuned.content_hash != before.content_hash
    verdict = json.loads(
        artefact(tmp_path, "preference_round", "compare-models", "verdict").read_text()
    )
    assert {verdict["candidate"], verdict["opponent"]} == {tuned.weights_hash, before.weights_hash}
    if verdict["verdict"] == "passed":
        assert registry.resolve("generator@candidate") == tuned
    else:
        with pytest.raises(NotFound):
            registry.resolve("generator@candidate")
