"""Oracles as one more judge of questions: their answers in the file that people's pages save."""

from __future__ import annotations

import json
from pathlib import Path

from omnireel.evaluate.pages.answers import FORMAT_VERSION
from omnireel.recipes.preference_questions import questions_hash, questions_manifest
from omnireel.recipes.preference_sampling import JUDGE
from omnireel.registry import write_text_atomic
from omnireel.train.preferences import PreferencePair, PreferenceSet, Verdict


def write_oracle_answers(folder: Path, out: Path) -> dict[Verdict, int]:
    """Answer every question of ``folder`` by its clips' scores; how often each verdict was given.

    Scores no further apart than the questions' own ``tie_margin`` are a tie.

    Raises:
        NotFound: the folder holds no questions.

    """
    margin = float(questions_manifest(folder)["tie_margin"])
    pairs = PreferenceSet(folder)
    verdicts = {number: _better(pairs.pair(number), margin) for number in range(len(pairs))}
    answers = {
        "format_version": FORMAT_VERSION,
        "questions": questions_hash(folder),
        "judge": JUDGE,
        "answers": {str(number): verdict.value for number, verdict in verdicts.items()},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(out, json.dumps(answers, indent=1) + "\n")
    given = list(verdicts.values())
    return {verdict: given.count(verdict) for verdict in Verdict}


def _better(pair: PreferencePair, margin: float) -> Verdict:
    difference = pair.first.scores["overall"] - pair.second.scores["overall"]
    if abs(difference) <= margin:
        return Verdict.TIE
    return Verdict.FIRST if difference > 0 else Verdict.SECOND
