"""Walking a lineage, and drawing it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omnireel.errors import InvalidInput
from omnireel.registry.lineage import Lineage, RunFacts, lineage_of, trace
from omnireel.registry.lineage_drawing import draw_lineage
from omnireel.registry.lineage_layout import LayoutConfig, Node, layout
from omnireel.registry.publishing import register
from omnireel.registry.tracking import open_client
from omnireel.registry.versions import ModelVersion
from tests.support.registry import fresh_registry, small_component

START = datetime(2026, 1, 1, tzinfo=UTC)


def version(ref: str, *parents: str, **facts: object) -> ModelVersion:
    name, _, number = ref.partition("/")
    made = ModelVersion(
        name=name,
        number=int(number),
        kind="generator",
        content_hash=f"{number:0>64}",
        weights_hash=f"{number:0>64}",
        source="file:///somewhere",
        created=START + timedelta(hours=int(number)),
        parents=parents,
    )
    return replace(made, **facts)  # type: ignore[arg-type]


LADDER = [
    version("vae/1", kind="vae"),
    version("gen/1", "vae/1", recipe="pretrain", data="clips", data_manifest="d" * 64),
    version("gen/2", "gen/1", recipe="continue", data="clips", data_manifest="d" * 64),
    version("gen/3", "gen/2", recipe="quality", run_id="run-3", gate="refused",
            gate_reasons=("failed: mean <is> 0.4 & low",)),
    version("gen/4", "gen/3", "gen/2", recipe="dpo", aliases=("champion",), gate="passed"),
    version("student/5", "gen/4", recipe="distil"),
    version("cousin/6", "gen/1"),
    version("stranger/7"),
]  # fmt: skip


def test_back_and_forward_but_not_to_cousins() -> None:
    lineage = trace(LADDER, "gen/3")
    assert set(lineage.versions) == {"vae/1", "gen/1", "gen/2", "gen/3", "gen/4", "student/5"}
    assert lineage.parents("gen/4") == ("gen/3", "gen/2")
    assert lineage.children("gen/2") == ("gen/3", "gen/4")
    assert lineage.gone == ()
    root = trace(LADDER, "vae/1")
    assert "cousin/6" in root.versions and "stranger/7" not in root.versions


def test_deleted_parents_and_circles() -> None:
    holed = [v for v in LADDER if v.ref != "gen/2"]
    lineage = trace(holed, "student/5")
    assert lineage.gone == ("gen/2",)
    assert "gen/1" not in lineage.versions
    circle = [version("a/1", "b/2"), version("b/2", "a/1")]
    assert set(trace(circle, "a/1").versions) == {"a/1", "b/2"}
    draw = layout([Node("a", 10), Node("b", 10)], [("a", "b"), ("b", "a")])
    assert draw.corners.keys() == {"a", "b"}


def test_parents_stand_to_the_left_and_nothing_overlaps() -> None:
    config = LayoutConfig()
    nodes = [Node(v.ref, 100) for v in LADDER]
    edges = [(p, v.ref) for v in LADDER for p in v.parents]
    found = layout(nodes, edges, config)
    for before, after in edges:
        assert found.corners[before][0] + config.width < found.corners[after][0]
        passed = found.edges[before, after]
        assert [x for x, _ in passed] == sorted(x for x, _ in passed)
    boxes = sorted(found.corners.values())
    for (x1, y1), (x2, y2) in pairwise(boxes):
        assert x1 != x2 or y2 - y1 >= 100
    for x, y in boxes:
        assert 0 < x < found.width - config.width and 0 < y < found.height - 99
    # The edge that skips a generation goes round the card in between.
    x, y = found.corners["gen/3"]
    (_, bend), *_ = [p for p in found.edges["gen/2", "gen/4"][1:-1] if abs(p[0] - x) < 1]
    assert not y <= bend <= y + 100


def full_lineage() -> Lineage:
    runs = {"run-3": RunFacts("run-3", "quality <1>", "FINISHED", "ladder")}
    return replace(trace(LADDER, "gen/3"), runs=runs)


def test_the_picture_as_svg(tmp_path: Path) -> None:
    out = draw_lineage(full_lineage(), tmp_path / "l.svg")
    root = ET.fromstring(out.read_text(encoding="utf-8"))
    texts = [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text")]
    for ref in ("vae/1", "gen/3", "student/5"):
        assert texts.count(ref) == 1
    assert texts.count("clips") == 1  # two versions of the same data share its node
    assert "champion" in texts and "quality <1> in ladder" in texts
    assert "gate refused: 0 of 1 rules hold" in texts
    hints = [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any("mean <is> 0.4 & low" in hint for hint in hints)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 8


def test_the_picture_as_png(tmp_path: Path) -> None:
    out = draw_lineage(full_lineage(), tmp_path / "l.png")
    pixels = np.asarray(Image.open(out))
    assert pixels.ndim == 3 and pixels.shape[1] > pixels.shape[0]
    colours = {tuple(c) for c in pixels[::2, ::2].reshape(-1, 3).tolist()}
    assert (0x38, 0x67, 0xB8) in colours and (0x7A, 0x5B, 0xB5) in colours  # generator, vae
    with pytest.raises(InvalidInput, match=r"\.svg or \.png"):
        draw_lineage(full_lineage(), tmp_path / "l.gif")


@pytest.mark.filterwarnings("ignore")
def test_from_the_registry(tmp_path: Path) -> None:
    uri = fresh_registry(tmp_path / "mlflow")
    client = open_client(uri)
    experiment = client.create_experiment("training")
    ladder = client.create_run(experiment, run_name="ladder").info.run_id
    tags = {"mlflow.parentRunId": ladder}
    rung = client.create_run(experiment, run_name="quality", tags=tags).info.run_id
    for i, parents in enumerate(([], ["gen/1"], ["gen/2"])):
        register(
            small_component(tmp_path / str(i), float(i)),
            name="gen",
            parents=parents,
            run_id=rung if i == 1 else None,
            tracking_uri=uri,
        )
    lineage = lineage_of("gen", tracking_uri=uri)
    assert lineage.focus == "gen/3" and list(lineage.versions) == ["gen/1", "gen/2", "gen/3"]
    assert lineage.runs == {rung: RunFacts(rung, "quality", "RUNNING", "ladder")}
    client.delete_run(rung)
    assert lineage_of("gen/1", tracking_uri=uri).children("gen/1") == ("gen/2",)
