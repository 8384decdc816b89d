"""The verbs that workflows are made of.

Each function says with which words a step calls ``omnireel``, and its annotations say what goes in
and comes out. (They are evaluated here, for kfp reads them; so no postponed annotations.)
"""

from kfp.dsl import Metrics, Model, Output

from pipelines.components.step import Verb, Words


def climb_rung(
    size: str, smoke: str, rung: str, folder: str, cache: str, cases: int, mlflow: str,
    launcher: str, job: str, result: Output[Metrics],
) -> Words:  # fmt: skip
    """Train a ladder up to one rung; the ones below are done, and are left as they are."""
    return [
        "train", "ladder", "--size", size, smoke, "--out", folder, "--cache", cache,
        "--last", rung, "--cases", cases, "--mlflow", mlflow, "--launcher", launcher,
        "--job", job, "--result", result.path,
    ]  # fmt: skip


def gate_rung(size: str, folder: str, rung: str, verdict: Output[Metrics]) -> Words:
    """Fail when the climb must not go on from a rung."""
    return ["train", "gate", folder, rung, "--size", size, "--out", verdict.path]


def finish_climb(
    size: str, smoke: str, rung: str, folder: str, cache: str, cases: int, mlflow: str,
    launcher: str, job: str, result: Output[Metrics], model: Output[Model],
) -> Words:  # fmt: skip
    """Train the last rung; at the top of the ladder, pass the gate before promotion or not."""
    return [
        "train", "ladder", "--size", size, smoke, "--out", folder, "--cache", cache,
        "--last", rung, "--cases", cases, "--mlflow", mlflow, "--launcher", launcher,
        "--job", job, "--result", result.path, "--model", model.path,
    ]  # fmt: skip


VERBS = {
    verb.name: verb
    for verb in (
        Verb(climb_rung, retries=2, submits=True),
        Verb(gate_rung),
        Verb(finish_climb, retries=2, submits=True),
    )
}
