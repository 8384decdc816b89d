"""The verbs that workflows are made of.

Each function says with which words a step calls ``omnireel``, and its annotations say what goes in
and comes out. (They are evaluated here, for kfp reads them; so no postponed annotations.)

``folder`` is a place on the volume that steps share: what takes long goes on there when a step is
tried again. Artefacts are what a step hands on or people look at.
"""

from kfp.dsl import HTML, Input, Metrics, Model, Output, OutputPath

from pipelines.components.step import Verb, Words

# Curating data.


def measure_part(
    media: str, folder: str, policy: str, seed: int, part: str, done: OutputPath(str),  # type: ignore[valid-type]
) -> Words:  # fmt: skip
    """Measure one part of the files (tiers 1 and 2)."""
    return [
        "data", "curate", media, f"{folder}/parts/{part}", "--policy", policy, "--seed", seed,
        "--part", part, "--answer", done,
    ]  # fmt: skip


def merge_parts(
    media: str, folder: str, policy: str, seed: int, parts: list[str], page: Output[HTML]
) -> Words:
    """Duplicates, tier 3, one ledger and the shards, from what the parts have measured."""
    del parts  # it only waits for them
    return [
        "data", "curate", media, f"{folder}/data", "--policy", policy, "--seed", seed,
        "--gather", f"{folder}/parts", "--page", page.path,
    ]  # fmt: skip


# Training a ladder.


def climb_rung(
    size: str, smoke: str, rung: str, folder: str, cache: str, cases: int, mlflow: str,
    launcher: str, job: str, settings: str, copy_to: str, result: Output[Metrics],
) -> Words:  # fmt: skip
    """Train a ladder up to one rung; the ones below are done, and are left as they are."""
    return [
        "train", "ladder", "--size", size, smoke, "--out", folder, "--cache", cache,
        "--last", rung, "--cases", cases, "--mlflow", mlflow, "--launcher", launcher,
        "--job", job, "--set", settings, "--copy-to", copy_to, "--result", result.path,
    ]  # fmt: skip


def gate_rung(size: str, folder: str, rung: str, verdict: Output[Metrics]) -> Words:
    """Fail when the climb must not go on from a rung."""
    return ["train", "gate", folder, rung, "--size", size, "--out", verdict.path]


def finish_climb(
    size: str, smoke: str, rung: str, folder: str, cache: str, cases: int, mlflow: str,
    launcher: str, job: str, settings: str, copy_to: str, result: Output[Metrics],
    model: Output[Model],
) -> Words:  # fmt: skip
    """Train the last rung; at the top of the ladder, pass the gate before promotion or not."""
    return [
        "train", "ladder", "--size", size, smoke, "--out", folder, "--cache", cache,
        "--last", rung, "--cases", cases, "--mlflow", mlflow, "--launcher", launcher,
        "--job", job, "--set", settings, "--copy-to", copy_to, "--result", result.path,
        "--model", model.path,
    ]  # fmt: skip


# Versions and evaluation.


def fetch_model(version: str, folder: str, mlflow: str) -> Words:
    """Put a pinned version and its autoencoder into a folder."""
    return ["registry", "assemble", version, "--out", folder, "--pinned", "--mlflow", mlflow]


def load_model(version: str, mlflow: str, model: Output[Model]) -> Words:
    """A pinned version and its autoencoder as an artefact."""
    return ["registry", "assemble", version, "--out", model.path, "--pinned", "--mlflow", mlflow]


def evaluate_model(
    model: Input[Model], capability: str, count: int, seed: int, device: str,
    results: Output[Metrics],
) -> Words:  # fmt: skip
    """Score a model on fixed cases; the artefact is a folder with results.json and pictures."""
    return [
        "eval", "quick", "--weights", model.path, "--capability", capability, "--count", count,
        "--seed", seed, "--device", device, "--out", results.path,
    ]  # fmt: skip


def compare_models(
    results: Input[Metrics], before: Input[Metrics], gsb: float, answer: OutputPath(str),  # type: ignore[valid-type]
    verdict: Output[Metrics],
) -> Words:  # fmt: skip
    """Whether one model is good enough against another, by good, same and bad cases."""
    return [
        "eval", "gate", f"{results.path}/results.json", "--against", f"{before.path}/results.json",
        "--opponent", "model before", "--gsb", gsb, "--answer", answer, "--out", verdict.path,
    ]  # fmt: skip


def set_alias(version: str, alias: str, mlflow: str) -> Words:
    """Name a version; never the champion, which moves through a gate."""
    return ["registry", "alias", version, alias, "--mlflow", mlflow]


# A round of preferences.


def sample_pairs(folder: str, prompts: int, number: int, device: str) -> Words:
    """Clips in pairs, from the model of the round."""
    return [
        "train", "preferences", "sample", f"{folder}/questions",
        "--generator", f"{folder}/model/generator", "--vae", f"{folder}/model/vae",
        "--prompts", prompts, "--round", number, "--device", device,
    ]  # fmt: skip


def show_pairs(folder: str, page: Output[HTML]) -> Words:
    """The page on which people judge."""
    return [
        "train", "preferences", "page", f"{folder}/questions", "--vae", f"{folder}/model/vae",
        "--out", page.path,
    ]  # fmt: skip


def judge_pairs(folder: str) -> Words:
    """Let the oracles answer."""
    return [
        "train", "preferences", "judge", f"{folder}/questions",
        "--out", f"{folder}/answers/oracles.json",
    ]  # fmt: skip


def wait_for_people(folder: str, judges: int, hours: float) -> Words:
    """Wait until people have put their answers into ``folder/inbox``."""
    return [
        "train", "preferences", "wait", f"{folder}/questions", "--from", f"{folder}/inbox",
        "--out", f"{folder}/answers", "--judges", judges, "--hours", hours,
    ]  # fmt: skip


def import_answers(folder: str) -> Words:
    """Turn answers into judged pairs."""
    return [
        "train", "preferences", "import", f"{folder}/questions", f"{folder}/answers",
        "--out", f"{folder}/judged",
    ]  # fmt: skip


def tune_model(
    folder: str, recipe: str, cache: str, mlflow: str, launcher: str, job: str, settings: str,
    copy_to: str,
) -> Words:  # fmt: skip
    """Preference tuning on the judged pairs."""
    return [
        "train", recipe, "--continue", "--out", f"{folder}/run", "--cache", cache,
        "--mlflow", mlflow, "--launcher", launcher, "--job", job,
        "--set", f"vae={folder}/model/vae", "--set", f"reference={folder}/model/generator",
        "--set", f"judged={folder}/judged", "--set", settings, "--copy-to", copy_to,
    ]  # fmt: skip


def export_model(folder: str, cache: str) -> Words:
    """The tuned model as a component."""
    return ["train", "export", f"{folder}/run", f"{folder}/component", "--cache", cache]


def register_model(
    folder: str,
    name: str,
    parent: str,
    mlflow: str,
    version: OutputPath(str),  # type: ignore[valid-type]
) -> Words:
    """Make it a version, with the one that it was tuned from and its data as lineage."""
    return [
        "registry", "register", f"{folder}/component", "--name", name, "--parent", parent,
        "--data-manifest", f"{folder}/judged/manifest.json", "--answer", version,
        "--mlflow", mlflow,
    ]  # fmt: skip


# A release.


def judge_release(
    version: str, size: str, smoke: str, folder: str, device: str, mlflow: str,
    answer: OutputPath(str), verdict: Output[Metrics],  # type: ignore[valid-type]
) -> Words:  # fmt: skip
    """Hold a version against the champion and the bars of its part."""
    return [
        "registry", "judge", version, "--size", size, smoke, "--work", folder,
        "--device", device, "--answer", answer, "--out", verdict.path, "--mlflow", mlflow,
    ]  # fmt: skip


def put_into_service(target: str, model: str, version: str, wait_s: float) -> Words:
    """Serve a pinned version."""
    return ["rollout", "put", target, model, "--version", version, "--wait-s", wait_s]


def take_back(target: str, model: str, wait_s: float) -> Words:
    """Serve what was served before the model, if that is still served."""
    return ["rollout", "undo", target, "--if-model", model, "--wait-s", wait_s]


def settle_release(
    version: str, model: str, canary: str, service: str, wait_s: float, mlflow: str
) -> Words:
    """Whatever has failed: what did not become the champion is not served any more."""
    return [
        "rollout", "settle", version, model, canary, service, "--wait-s", wait_s,
        "--mlflow", mlflow,
    ]  # fmt: skip


def watch_service(
    address: str,
    requests: int,
    max_failures: int,
    answer: OutputPath(str),  # type: ignore[valid-type]
) -> Words:
    """Ask for videos and count what comes back."""
    return [
        "rollout", "watch", "--address", address, "--requests", requests,
        "--max-failures", max_failures, "--answer", answer,
    ]  # fmt: skip


def promote_version(version: str, verdict: Input[Metrics], mlflow: str) -> Words:
    """Make it the champion, if the verdict still holds."""
    return ["registry", "promote", version, "--verdict", verdict.path, "--mlflow", mlflow]


VERBS = {
    verb.name: verb
    for verb in (
        Verb(measure_part, retries=2),
        Verb(merge_parts, retries=2),
        Verb(climb_rung, retries=2, submits=True),
        Verb(gate_rung),
        Verb(finish_climb, retries=2, submits=True),
        Verb(fetch_model, retries=2),
        Verb(load_model, retries=2, cached=True),
        Verb(evaluate_model, retries=1, cached=True, generates=True),
        Verb(compare_models),
        Verb(set_alias, retries=2),
        Verb(sample_pairs, retries=2, generates=True),
        Verb(show_pairs, retries=1),
        Verb(judge_pairs, retries=1),
        Verb(wait_for_people, retries=2),
        Verb(import_answers, retries=1),
        Verb(tune_model, retries=2, submits=True),
        Verb(export_model, retries=1),
        Verb(register_model, retries=2),
        Verb(judge_release, retries=1, generates=True),
        Verb(put_into_service, retries=1),
        Verb(take_back, retries=1),
        Verb(settle_release, retries=2),
        Verb(watch_service, calls=True),
        Verb(promote_version),
    )
}
