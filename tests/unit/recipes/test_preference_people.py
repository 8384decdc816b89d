from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from omnireel.cli import train
from omnireel.errors import (
    AlreadyExists,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    OmnireelError,
)
from omnireel.generate.pipeline import seeded_noise
from omnireel.media.sprites import sprite_sheet
from omnireel.recipes.base import Workplace
from omnireel.recipes.preference import debug_preference
from omnireel.recipes.preference_answers import (
    Answers,
    agreement,
    import_answers,
    joined_verdicts,
)
from omnireel.recipes.preference_page import write_page
from omnireel.recipes.preference_questions import (
    NOBODY,
    build_questions,
    questions_hash,
    questions_of,
)
from omnireel.recipes.preference_sampling import PreferenceSamplingConfig
from omnireel.recipes.preference_waiting import WaitConfig, wait_for_answers
from omnireel.train.preferences import PreferenceBatches, PreferenceSet, Verdict
from omnireel.types import VideoFormat
from tests.support.engines.random_weights import save_random_weights

CONFIG = PreferenceSamplingConfig(
    prompts=4,
    candidates=4,
    num_inference_steps=1,
    format=VideoFormat(32, 32, 5, 8.0),
    weights={"C8": 1.0},
    shard_prompts=2,
    round=2,
)
RUNNER = CliRunner()
FIRST, SECOND, TIE = Verdict.FIRST, Verdict.SECOND, Verdict.TIE


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def folder(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("questions") / "round-2"
    return build_questions(folder, CONFIG, weights / "generator", weights / "vae", workers=0)


def answer(path: Path, folder: Path, judge: str, **verdicts: str) -> Path:
    answers = {number.removeprefix("n"): verdict for number, verdict in verdicts.items()}
    data = {"format_version": 1, "questions": questions_hash(folder), "judge": judge}
    path.write_text(json.dumps({**data, "answers": answers}))
    return path


def test_questions_pair_neighbours_and_wait_for_people(folder: Path) -> None:
    found = PreferenceSet(folder)
    assert len(found) == 8 and found.decided() == []
    with pytest.raises(InvalidInput, match="0 decided pairs"):
        PreferenceBatches(found, 1)
    seeds = []
    for n in range(len(found)):
        pair = found.pair(n)
        assert (pair.judge, pair.round, pair.verdicts) == (NOBODY, 2, (TIE,))
        for candidate in (pair.first, pair.second):
            channels, *shape = candidate.latents_CTHW.shape
            noise = seeded_noise(candidate.seed, channels, tuple(shape), torch.device("cpu"))
            assert torch.equal(candidate.noise_CTHW, noise.half().float())
            seeds.append(candidate.seed)
        assert not torch.equal(pair.first.latents_CTHW, pair.second.latents_CTHW)
        assert pair.segments, "the source video belongs to the question"
    assert len(set(seeds)) == 16


def test_other_questions_do_not_mix_and_an_interrupted_build_goes_on(
    weights: Path, folder: Path
) -> None:
    parts = (weights / "generator", weights / "vae")
    before = questions_hash(folder)
    kept = (folder / "pairs_000000.json").stat().st_mtime_ns
    for path in folder.glob("pairs_000001.*"):
        path.unlink()
    build_questions(folder, CONFIG, *parts, workers=0)
    assert questions_hash(folder) == before
    assert (folder / "pairs_000000.json").stat().st_mtime_ns == kept
    with pytest.raises(AlreadyExists, match="another model, round or size"):
        build_questions(folder, replace(CONFIG, round=3), *parts, workers=0)


def test_the_page_holds_every_frame_and_loads_nothing(
    weights: Path, folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    assert write_page(folder, weights / "vae", page) == 8
    text = page.read_text()
    assert "http:" not in text and "https:" not in text and "src=" not in text
    start = text.index('id="data">') + len('id="data">')
    data = json.loads(text[start : text.index("</script>", start)])
    assert data["questions"] == questions_hash(folder) and len(data["pairs"]) == 8
    shown = json.dumps(data)
    assert "seed" not in shown and "scores" not in shown and "overall" not in shown
    clip = data["pairs"][0]["first"]
    assert (clip["frames"], clip["width"], clip["height"], clip["fps"]) == (5, 32, 32, 8.0)
    kind, _, content = clip["sprite"].partition(",")
    assert kind == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (5 * 32, 32)
    assert data["pairs"][0]["given"][0]["role"] == "source"
    other = save_random_weights(tmp_path / "other", seed=1)
    with pytest.raises(InvalidInput, match="another autoencoder"):
        write_page(folder, other / "vae", page)


def test_long_clips_are_wrapped_within_what_webp_allows() -> None:
    frames = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 6000, 3), np.uint8)
    sheet, columns = sprite_sheet(frames)
    assert columns == 2 and sheet.shape == (1, 6, 12_000, 3)
    for n in range(5):
        y, x = (n // columns) * 2, (n % columns) * 6000
        assert (sheet[0, y : y + 2, x : x + 6000] == n).all()


def test_answers_become_pairs_with_everything_they_had(folder: Path, tmp_path: Path) -> None:
    ann = answer(tmp_path / "a.json", folder, "ann", n0="first", n1="second", n2="tie", n5="first")
    bob = answer(tmp_path / "b.json", folder, "bob", n0="first", n1="first", n2="second")
    made = import_answers(folder, [ann, bob], tmp_path / "judged")
    assert (made.pairs, made.ties, made.unanswered) == (4, 1, 4)
    assert made.judges == ("ann", "bob") and made.agreement == pytest.approx(1 / 3)
    asked, judged = PreferenceSet(folder), PreferenceSet(tmp_path / "judged")
    verdicts = [judged.pair(n).verdicts for n in range(4)]
    assert verdicts == [(FIRST,), (TIE,), (SECOND,), (FIRST,)]
    assert len(judged.decided()) == 3
    for mine, theirs in ((0, 0), (3, 5)):
        one, other = judged.pair(mine), asked.pair(theirs)
        assert one.judge == "ann, bob" and one.round == 2
        assert one.first.seed == other.first.seed and one.first.scores == other.first.scores
        assert torch.equal(one.second.noise_CTHW, other.second.noise_CTHW)
        assert torch.equal(one.first.latents_CTHW, other.first.latents_CTHW)
    with pytest.raises(AlreadyExists):
        import_answers(folder, [ann], tmp_path / "judged")


def test_votes_and_agreement() -> None:
    one = Answers("a", {0: FIRST, 1: SECOND, 2: TIE})
    two = Answers("b", {0: FIRST, 1: FIRST, 3: SECOND})
    assert joined_verdicts([one, two]) == {0: FIRST, 1: TIE, 2: TIE, 3: SECOND}
    assert agreement([one, two]) == 0.5
    assert agreement([one]) is None and agreement([one, Answers("c", {7: TIE})]) is None


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    def refused(words: str, *paths: Path) -> None:
        with pytest.raises(InvalidInput, match=words):
            import_answers(folder, paths, tmp_path / "never")
        assert not (tmp_path / "never").exists()

    good = answer(tmp_path / "good.json", folder, "ann", n0="first")
    refused("ann answers twice", good, good)
    refused("nobody has answered", answer(tmp_path / "none.json", folder, "ann"))
    refused("not what the page saves", answer(tmp_path / "w.json", folder, "ann", n0="left"))
    refused("answers pair 8 of 8", answer(tmp_path / "far.json", folder, "ann", n8="first"))
    refused("does not say who", answer(tmp_path / "who.json", folder, " ", n0="first"))
    other = tmp_path / "other.json"
    other.write_text(good.read_text().replace(questions_hash(folder), "0" * 64))
    refused("answers other questions", other)
    with pytest.raises(NotFound, match="preferences sample"):
        import_answers(tmp_path / "nothing", [good], tmp_path / "never")
    with pytest.raises(NotFound, match="Save"):
        import_answers(folder, [tmp_path / "missing.json"], tmp_path / "never")


def test_training_reads_judged_pairs(weights: Path, folder: Path, tmp_path: Path) -> None:
    ann = answer(tmp_path / "a.json", folder, "ann", n0="first", n1="second")
    import_answers(folder, [ann], tmp_path / "judged")
    recipe = replace(
        debug_preference(),
        vae=weights / "vae",
        reference=weights / "generator",
        judged=tmp_path / "judged",
        pairs=replace(CONFIG, candidates=2),
        held_out=1,
    )
    place = Workplace(tmp_path / "cache", lambda what, done, total: None)
    assembly = recipe.assemble(place, None)
    assert assembly.pinned["pairs"] == str(tmp_path / "judged")
    (pair,) = assembly.data.batch(0)
    assert pair.judge == "ann"
    report = assembly.objective.loss([pair], torch.Generator().manual_seed(0))
    assert report.loss.requires_grad and report.metrics["ties"] == 0
    assert (
        "2 pairs of clips, judged by one person (round 2)"
        in recipe.component(
            {
                f"transformer.{n}": t
                for n, t in assembly.objective.modules()["transformer"].state_dict().items()
            },
            place,
        ).card["data"]
    )
    with pytest.raises(InvalidInput, match="no judged pairs"):
        replace(recipe, judged=folder).prepare(place)
    other = save_random_weights(tmp_path / "other", seed=1)
    with pytest.raises(InvalidInput, match="another autoencoder"):
        replace(recipe, vae=other / "vae").prepare(place)


def test_a_round_asks_a_model_as_it_is_served(weights: Path) -> None:
    first, second = (
        questions_of(weights / "generator", prompts=3, candidates=2, round_number=n) for n in (1, 2)
    )
    assert first.format == VideoFormat(32, 32, 5, 8.0)
    assert first.num_inference_steps == 3 and set(first.weights) == {"C20"}
    assert second.round == 2 and second.seed - first.seed > 10_000


def test_the_three_verbs(weights: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "q")
    models = ["--generator", str(weights / "generator"), "--vae", str(weights / "vae")]
    done = RUNNER.invoke(
        train.app, ["preferences", "sample", folder, *models, "--prompts", "4", "--workers", "0"]
    )
    assert done.exit_code == 0, done.output
    done = RUNNER.invoke(train.app, ["preferences", "page", folder, *models[2:]])
    assert "page.html: 4 pairs" in done.output and (tmp_path / "q/page.html").is_file()
    file = answer(tmp_path / "ann.json", tmp_path / "q", "ann", n0="tie", n3="second")
    arguments = ["preferences", "import", folder, str(file), "--out", str(tmp_path / "judged")]
    done = RUNNER.invoke(train.app, arguments)
    assert "2 pairs by ann, of these 1 ties, 2 unanswered" in done.output
    assert RUNNER.invoke(train.app, arguments).output == done.output  # the same again
    answer(tmp_path / "ann.json", tmp_path / "q", "ann", n0="first")
    failed = RUNNER.invoke(train.app, arguments)
    assert isinstance(failed.exception, OmnireelError)


def test_the_same_answers_again_change_nothing(folder: Path, tmp_path: Path) -> None:
    ann = answer(tmp_path / "a.json", folder, "ann", n0="first", n1="second")
    made = import_answers(folder, [ann], tmp_path / "judged")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "judged").iterdir()}
    assert import_answers(folder, [ann], tmp_path / "judged") == made
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "judged").iterdir()} == before
    other = answer(tmp_path / "a.json", folder, "ann", n0="first", n1="first")
    with pytest.raises(AlreadyExists):
        import_answers(folder, [other], tmp_path / "judged")


def test_oracles_are_one_more_judge(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers/oracles.json"
    result = RUNNER.invoke(train.app, ["preferences", "judge", str(folder), "--out", str(file)])
    assert result.exit_code == 0, result.output
    made = import_answers(folder, [file], tmp_path / "judged")
    assert made.judges == ("oracles",) and made.unanswered == 0
    margin = CONFIG.tie_margin
    judged = PreferenceSet(tmp_path / "judged")
    for number in range(len(judged)):
        pair = judged.pair(number)
        difference = pair.first.scores["overall"] - pair.second.scores["overall"]
        expected = TIE if abs(difference) <= margin else FIRST if difference > 0 else SECOND
        assert pair.verdicts == (expected,)


def test_a_round_waits_for_enough_judges(folder: Path, tmp_path: Path) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "answers"
    inbox.mkdir()
    answer(inbox / "ann.json", folder, "ann", n0="first")
    answer(inbox / "ann-again.json", folder, "ann", n0="first")  # one person is one judge
    (inbox / "half.json").write_text('{"format_ver')
    told: list[str] = []
    with pytest.raises(DeadlineExceeded, match="1 of 2 judges answered"):
        wait_for_answers(folder, inbox, out, WaitConfig(2, 1e-9, 0.01), told.append)
    assert len([line for line in told if "passed over" in line]) == 1 and not out.exists()
    answer(inbox / "bob.json", folder, "bob", n0="second")
    names = wait_for_answers(folder, inbox, out, WaitConfig(2, 1.0, 0.01), told.append)
    assert names == ("ann", "bob") and len(list(out.iterdir())) == 2
