"""Cards as commands that can be run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from omnireel.cli import train
from omnireel.cli.launch.recipe import STOPPED_EARLY
from omnireel.errors import FailedPrecondition, NotFound
from omnireel.recipes.reproduce import component_of, reproduction
from omnireel.registry import save_component, verify
from omnireel.shipped import SHIPPED_TINY

SHIPPED = sorted(path.parent.name for path in SHIPPED_TINY.glob("*/card.json"))


def _component(folder: Path, **card: Any) -> Path:
    return save_component(
        folder, kind="vae", config={}, state_dict={"w": torch.zeros(2)}, card=card
    )


def _words(component: Path, out: Path, **how: str) -> list[str]:
    return [" ".join(step.arguments) for step in reproduction(component, out, **how).steps]


def test_every_stage_starts_from_the_one_before(tmp_path: Path) -> None:
    component = _component(
        tmp_path / "c",
        recipe="vae-tiny-decoder",
        command="omnireel train vae-tiny-decoder --init-from runs/gone --out runs/b --max-minutes 5"
        "\nomnireel train vae-tiny-decoder --out runs/b --resume --run-parent 7",
        earlier=[{"recipe": "vae-tiny", "command": "omnireel train vae-tiny --out runs/a"}],
    )
    out = tmp_path / "again"
    first, second = out / "1-vae-tiny", out / "2-vae-tiny-decoder"
    assert _words(component, out) == [
        f"train vae-tiny --out {first}",
        f"train export {first} {first}-component",
        f"train vae-tiny-decoder --init-from {first}-component --out {second} --max-minutes 5",
        f"train vae-tiny-decoder --out {second} --resume",
        f"train export {second} {second}-component",
    ]


CLIMB = (
    "omnireel train ladder --first preference --last trajectory --start omnireel/weights/tiny "
    "--out runs/x --set preference.pairs.prompts=9 --set preference-2.workers=1 "
    "--set trajectory.held_out=8 --set trajectory.folders.train=runs/cache/latents-gone"
)


def test_rungs_become_what_the_ladder_ran_for_them(tmp_path: Path) -> None:
    """A second round of preferences and the student of its model, whose stages share a command."""
    start = {"recipe": "generator-tiny-all", "command": "omnireel train generator-tiny-all"}
    rungs = [
        {"recipe": "preference-tiny", "rung": name, "command": CLIMB}
        for name in ("preference", "preference-2")
    ]
    component = _component(
        tmp_path / "c", recipe="trajectory-tiny", command=CLIMB, earlier=[start, *rungs]
    )
    out = tmp_path / "again"
    plan = reproduction(component, out)
    runs = [" ".join(s.arguments) for s in plan.steps if s.run is not None]
    vae = "--set vae=omnireel/weights/tiny/vae"
    before = [out / f"{n}-component" for n in
              ("1-generator-tiny-all", "2-preference-tiny", "3-preference-tiny")]  # fmt: skip
    assert runs[1:] == [
        f"train preference-tiny --out {out}/2-preference-tiny --set pairs.prompts=9 {vae} "
        f"--set reference={before[0]}",
        f"train preference-tiny --out {out}/3-preference-tiny --set pairs.round=2 "
        f"--set pairs.seed=70000000 --set workers=1 {vae} --set reference={before[1]}",
        f"train trajectory-tiny --init-from {before[2]} --out {out}/4-trajectory-tiny "
        f"--set held_out=8 {vae} --set teacher={before[2]}",
    ]
    assert "read runs/cache/latents-gone, which is not here" in plan.notes[0]


def test_a_student_of_a_student_keeps_its_teacher(tmp_path: Path) -> None:
    component = _component(
        tmp_path / "c",
        recipe="distribution-tiny",
        command="omnireel train distribution-tiny --init-from runs/s --set teacher=runs/t",
        earlier=[
            {"recipe": "generator-tiny-all", "command": "omnireel train generator-tiny-all"},
            {"recipe": "trajectory-tiny", "command": "omnireel train trajectory-tiny"},
        ],
        after={"start": 2, "teacher": 1},
    )
    out = tmp_path / "again"
    words = _words(component, out)
    # Nobody said which teacher: then it was the shipped one of that day, which the card tells of.
    assert words[2].endswith(f"--set teacher={out}/1-generator-tiny-all-component")
    assert words[4] == (
        f"train distribution-tiny --init-from {out}/2-trajectory-tiny-component "
        f"--out {out}/3-distribution-tiny --set teacher={out}/1-generator-tiny-all-component"
    )


def test_on_another_device_steps_count_and_not_minutes(tmp_path: Path) -> None:
    component = _component(
        tmp_path / "c",
        recipe="generator-tiny-long",
        command="omnireel train generator-tiny-long --max-minutes 2 --set batch_size=4",
        steps=1111,
        hardware="a GPU",
    )
    out = tmp_path / "again"
    assert _words(component, out, device="cpu")[0] == (
        f"train generator-tiny-long --out {out}/1-generator-tiny-long --set batch_size=4 "
        "--set trainer.device=cpu --set trainer.max_minutes=null --set trainer.num_steps=1111"
    )
    assert not reproduction(component, out, device="cpu").obstacles


@pytest.mark.skipif(torch.cuda.is_available(), reason="nothing stands in the way with a GPU")
def test_what_needs_a_gpu_is_refused_before_anything_starts(tmp_path: Path) -> None:
    arguments = ["reproduce", "teacher", "--out", str(tmp_path / "again")]
    said = CliRunner().invoke(train.app, arguments)
    assert isinstance(said.exception, FailedPrecondition)
    told = str(said.exception)
    assert "stage 10 of 18 of teacher was trained on NVIDIA H100" in told and "--device cpu" in told
    assert not (tmp_path / "again").exists()
    # What was made elsewhere and brought here needs no GPU any more.
    for stage in ("10-generator-tiny-long", "11-generator-tiny-long",
                  "14-generator-tiny-fine", "15-generator-tiny-fine",
                  "16-generator-tiny-views", "17-generator-tiny-company",
                  "18-generator-tiny-company"):  # fmt: skip
        _component(tmp_path / "again" / f"{stage}-component")
    assert not reproduction(SHIPPED_TINY / "teacher", tmp_path / "again").obstacles


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"recipe": "vae-tiny"}, "has no command in its card"),
        ({"command": "python -m something.else"}, "not a recipe of this release"),
        ({"command": "omnireel train lora --data x"}, "was trained on a folder of clips"),
        ({"command": "omnireel train never-heard-of"}, "not a recipe of this release"),
        ({"command": "omnireel train vae-tiny runs"}, "has an unknown option 'runs'"),
        ({"command": "omnireel train vae-tiny --init-from runs/gone"}, "which is not here"),
        ({"command": "omnireel train generator-tiny --set vae=runs/gone"}, "reads vae from"),
        ({"command": "omnireel train vae-tiny --set data.cont=3"}, r"did you mean data\.count"),
        ({"command": "omnireel train ladder", "recipe": "preference-tiny"}, "does not say which"),
        ({"command": "omnireel train ladder --set x.y=1"}, "there is no rung 'x'"),
        (
            {
                "command": "omnireel train ladder",
                "recipe": "distribution-tiny",
                "earlier": [{"recipe": "vae-tiny", "command": "omnireel train vae-tiny"}],
            },
            "started from what trajectory made",
        ),
        ({"command": "omnireel train vae-tiny", "after": {"start": 7}}, "started from stage 7"),
        ({"command": "omnireel models average a b c"}, "does not say which stages made them"),
        (
            {
                "command": "omnireel train distribution-tiny --init-from a/gone --set teacher=b",
                "earlier": [{"recipe": "vae-tiny", "command": "omnireel train vae-tiny"}],
            },
            "starts from a/gone",
        ),
    ],
)
def test_what_cannot_be_repeated_is_refused(
    tmp_path: Path, card: dict[str, Any], said: str
) -> None:
    with pytest.raises(FailedPrecondition, match=said):
        reproduction(_component(tmp_path / "c", **card), tmp_path / "again")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_chain_of_every_shipped_component_is_shown(name: str, tmp_path: Path) -> None:
    arguments = ["reproduce", name, "--dry-run", "--out", str(tmp_path / "again")]
    said = CliRunner().invoke(train.app, arguments)
    assert said.exit_code == 0, said.output
    card = verify(component_of(name))
    ends = [
        line
        for line in said.output.splitlines()
        if "train export" in line or "models average" in line
    ]
    assert len([e for e in ends if e.startswith("runs: ")]) == len(card.get("earlier", ())) + 1
    commands = "\n".join([stage["command"] for stage in [*card.get("earlier", ()), card]])
    told = [line.removeprefix("card: ") for line in said.output.splitlines() if "card: " in line]
    assert told == commands.splitlines()
    assert not (tmp_path / "again").exists()


def test_a_mean_in_the_middle_of_a_chain_has_two_ways_to_it(tmp_path: Path) -> None:
    """The shipped generator: two ways part after stage 11 and come together in stage 13."""
    words = _words(SHIPPED_TINY / "generator", tmp_path)
    longer, gated = (tmp_path / f"{n}-generator-tiny-long-component" for n in (11, 12))
    gates, fine, student = (
        next(w for w in words if f" --out {tmp_path / name} " in w)
        for name in (
            "12-generator-tiny-long",
            "14-generator-tiny-fine",
            "19-trajectory-tiny-company",
        )
    )
    assert f"--init-from {longer} " in gates
    mean = tmp_path / "13-average-component"
    assert f"models average {gated} {longer} {mean} --share 0.5" in words
    assert f"--init-from {mean} " in fine
    assert f"--set teacher={tmp_path / '18-generator-tiny-company-component'} " in student


def test_an_unknown_component_is_named() -> None:
    with pytest.raises(NotFound, match="use embedder, enhancer, generator, teacher, upscaler, vae"):
        component_of("nothing")


def test_the_oracle_is_refused_with_the_reason() -> None:
    with pytest.raises(FailedPrecondition, match=r"not by a recipe; .*oracle/card.json has"):
        component_of("oracle")


def test_a_stage_that_was_stopped_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    component = _component(
        tmp_path / "c", recipe="vae-tiny", command="omnireel train vae-tiny --out runs/a"
    )
    out, ran = tmp_path / "again", []
    folder = out / "1-vae-tiny"

    def stopped(command: Sequence[str]) -> int:
        ran.append(list(command[3:]))
        (folder / "checkpoints" / "step_00000002").mkdir(parents=True, exist_ok=True)
        (folder / "checkpoints" / "latest").write_text("step_00000002\n")
        return STOPPED_EARLY

    monkeypatch.setattr("omnireel.cli.reproduce.run_to_end", stopped)
    for _ in range(2):
        result = CliRunner().invoke(train.app, ["reproduce", str(component), "--out", str(out)])
        assert isinstance(result.exception, FailedPrecondition)
        assert "was stopped; run this again to resume" in str(result.exception)
    begin = ["train", "vae-tiny", "--out", str(folder)]
    assert ran == [[*begin, "--continue"], [*begin, "--resume", "--continue"]]


SLOW_TO_STOP = """
import pathlib, signal, sys, time
def save(*_):
    time.sleep(1.0)
    pathlib.Path(sys.argv[1], "saved").touch()
    sys.exit(0)
signal.signal(signal.SIGINT, save)
signal.signal(signal.SIGTERM, save)
pathlib.Path(sys.argv[1], "runs").touch()
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_checkpoint(number: signal.Signals, tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(SLOW_TO_STOP)
    code = (
        "import sys; from omnireel.cli.reproduce import run_to_end; "
        "print('status', run_to_end([sys.executable, *sys.argv[1:]]))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(child), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not (tmp_path / "runs").exists():
        assert parent.poll() is None
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(parent.pid, number)  # as a terminal does
    else:
        parent.send_signal(number)  # as a pod's end does
    told, said = parent.communicate(timeout=60)
    assert (tmp_path / "saved").exists()
    assert b"KeyboardInterrupt" in said if number == signal.SIGINT else told == b"status 0\n"
