"""``omnireel train preferences``: pairs of videos that people judge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnireel.cli.devices import Device, present_device
from omnireel.cli.printing import err, out
from omnireel.cli.run_output import data_report
from omnireel.shipped import SHIPPED_TEACHER, SHIPPED_TINY

app = typer.Typer(
    name="preferences",
    help="Let people judge pairs of videos: sample, page, import, then train on them.\n\n"
    "Example: omnireel train preferences sample runs/round-1 --prompts 64",
    no_args_is_help=True,
)

Questions = Annotated[Path, typer.Argument(help="Folder of the questions.")]
Vae = Annotated[Path, typer.Option(help="Component folder of the autoencoder.")]


@app.command("sample")
def sample(
    questions: Questions,
    generator: Annotated[
        Path, typer.Option(help="Component folder of the model that makes the clips.")
    ] = SHIPPED_TEACHER,
    vae: Vae = SHIPPED_TINY / "vae",
    prompts: Annotated[int, typer.Option(min=1, help="Number of prompts.")] = 64,
    candidates: Annotated[
        int, typer.Option(min=2, help="Clips for each prompt; two make a question.")
    ] = 2,
    round_: Annotated[
        int, typer.Option("--round", min=1, help="Number of the round; each has its own prompts.")
    ] = 1,
    workers: Annotated[int, typer.Option(min=0, help="Number of processes; 0: only this one.")] = 2,
    device: Device = "cpu",
) -> None:
    """Generate clips in pairs, each from its own noise; run again to go on.

    Example: omnireel train preferences sample runs/round-1 --prompts 64 --round 1
    """
    from omnireel.recipes.preference_questions import build_questions, questions_of

    report = data_report()
    config = questions_of(generator, prompts=prompts, candidates=candidates, round_number=round_)
    build_questions(
        questions,
        config,
        generator,
        vae,
        workers=workers,
        device=present_device(device),
        report=lambda done, total: report("sampling pairs", done, total),
    )
    out().print(f"{questions}: now 'omnireel train preferences page {questions}'")


@app.command("page")
def page(
    questions: Questions,
    vae: Vae = SHIPPED_TINY / "vae",
    file: Annotated[
        Path | None,
        typer.Option("--out", help="The HTML file; default: page.html among the questions."),
    ] = None,
) -> None:
    """Write one HTML file to judge the pairs on: keys 1, 2 and T; it saves a JSON file.

    Example: omnireel train preferences page runs/round-1 --out round-1.html
    """
    from omnireel.recipes.preference_page import write_page

    file = file or questions / "page.html"
    count = write_page(questions, vae, file)
    out().print(f"{file}: {count} pairs; open it in a browser, judge, press 'Save answers'")


@app.command("import")
def import_(
    questions: Questions,
    answers: Annotated[
        list[Path],
        typer.Argument(help="JSON files saved by the page, one per judge; or a folder of them."),
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the judged pairs.")],
) -> None:
    """Turn answers into judged pairs; several judges vote. Ties and unanswered pairs are fine.

    Example: omnireel train preferences import runs/round-1 answers-1.json --out runs/judged-1
    """
    from omnireel.recipes.preference_answers import import_answers

    found = [sorted(path.glob("*.json")) if path.is_dir() else [path] for path in answers]
    files = [file for several in found for file in several]
    made = import_answers(questions, files, folder)
    agreement = "" if made.agreement is None else f", judges agree on {made.agreement:.0%}"
    out().print(
        f"{folder}: {made.pairs} pairs by {', '.join(made.judges)}, of these {made.ties} ties, "
        f"{made.unanswered} unanswered{agreement}"
    )
    out().print(f"train on them: omnireel train preference-tiny --set judged={folder}")


@app.command("judge")
def judge(
    questions: Questions,
    file: Annotated[Path, typer.Option("--out", help="JSON file of answers to write.")],
) -> None:
    """Let the oracles answer, as one more judge.

    Example: omnireel train preferences judge runs/round-1 --out answers/oracles.json
    """
    from omnireel.recipes.preference_oracles import write_oracle_answers

    counts = write_oracle_answers(questions, file)
    shown = ", ".join(f"{verdict.value} {count}" for verdict, count in counts.items())
    out().print(f"{file}: {shown}")


@app.command("wait")
def wait(
    questions: Questions,
    arriving: Annotated[Path, typer.Option("--from", help="Folder that receives the answers.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder to copy them to.")],
    judges: Annotated[
        int, typer.Option(min=1, help="Number of people who must have answered.")
    ] = 1,
    hours: Annotated[float, typer.Option(help="Longest time to wait.")] = 72.0,
) -> None:
    """Wait until people have answered; files that do not fit are told and passed over.

    Example: omnireel train preferences wait runs/round-1 --from answers --out runs/answers-1
    """
    from omnireel.recipes.preference_waiting import WaitConfig, wait_for_answers

    names = wait_for_answers(
        questions, arriving, folder, WaitConfig(judges, hours), lambda line: err().print(line)
    )
    out().print(f"{folder}: answers of {', '.join(names)}")


def tuning_recipes() -> tuple[str, ...]:
    """The recipes that learn from judged pairs."""
    from omnireel.recipes import RECIPES

    return tuple(name for name in RECIPES if name.startswith("preference-"))
