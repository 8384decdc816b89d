"""The scores that ship with weights: a file beside them that says by hash which weights it means.

``omnireel eval bench --record`` writes it and puts the row scores into the generator's card;
``omnireel eval table`` reads it. Of another generator (``--generator``) only the card is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from omnireel.errors import FailedPrecondition, IntegrityError, NotFound
from omnireel.evaluate.bench.suite import VERSION, index_sha256, read_index
from omnireel.evaluate.bench.upscaling import upscaler_sha256
from omnireel.evaluate.scorer import scorer_changed
from omnireel.files import atomic_write
from omnireel.registry import verify
from omnireel.registry.card import write_card

FILE = "bench.json"
_SHIPPED = ("id", "trained", "cases", "score", "interval", "floor", "ceiling", "truth", "span",
            "span_interval", "held_out", "held_out_interval", "held_out_span",
            "held_out_span_interval", "families", "oracles")  # fmt: skip
_NEW = ("span_interval", "held_out_interval", "held_out_span_interval")
"""Not in scores that oracles of version 1 gave."""


def record_scores(data: Mapping[str, Any], weights: Path, generator: Path | None = None) -> Path:
    """Write a whole run's summary beside ``weights`` and its scores into the generator's card.

    Args:
        data: summary of the run.
        weights: folder with the generator and the autoencoder that were measured.
        generator: component folder that was measured instead of that among the weights: its scores
            go into its card alone.

    Returns:
        The file that holds the scores.

    Raises:
        FailedPrecondition: a part of the benchmark, other words, another seed or other weights.

    """
    total, model = len(read_index()), data["model"]
    if data["cases"] != total:
        raise FailedPrecondition(
            f"{data['cases']} of {total} cases were run; leave --quick and --capability out to "
            "record scores"
        )
    if model["words"] != "precise" or model["seed"] != 0:
        raise FailedPrecondition("recorded scores are those of --words precise and --seed 0")
    made_by = generator or weights / "generator"
    for kind, component in (("generator", made_by), ("vae", weights / "vae")):
        if model[kind] != _hash(component):
            raise FailedPrecondition(f"{component} is another one than was measured")
    if generator is not None:
        return _write_card(generator, data)
    rows = [
        {
            **{key: row[key] for key in _SHIPPED},
            "oracles": [{k: v for k, v in o.items() if k != "meaning"} for o in row["oracles"]],
        }
        for row in data["rows"]
    ]
    head = json.dumps({k: v for k, v in data.items() if k != "rows"}, indent=1)
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    path = weights / FILE
    atomic_write(path, f'{head[:-2]},\n "rows": [\n{lines}\n ]\n}}\n'.encode())
    _write_card(made_by, data)
    return path


def card_scores(data: Mapping[str, Any]) -> dict[str, float]:
    """What a card says of recorded scores."""
    found = {f"bench_{key}": data["mean"][key] for key in ("score", "span")}
    for row in data["rows"]:
        found[f"bench_{row['id']}"] = row["score"]
        found[f"bench_{row['id']}_held_out"] = row["held_out"]
    return found


def _write_card(generator: Path, data: Mapping[str, Any]) -> Path:
    card = verify(generator)
    other = {k: v for k, v in card.get("scores", {}).items() if not k.startswith("bench_")}
    card["scores"] = {**other, **card_scores(data)}
    return write_card(generator, card)


def read_scores(weights: Path) -> tuple[dict[str, Any], str]:
    """The recorded scores, and why they are out of date ("" when they are not).

    Raises:
        NotFound: none were recorded.
        IntegrityError: the file is damaged.

    """
    path = weights / FILE
    if not path.is_file():
        raise NotFound(
            f"there are no recorded scores in {weights}; make them with 'omnireel eval bench "
            f"--weights {weights} --record'"
        )
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for row in data["rows"]:
            row |= {key: row.get(key) for key in _NEW}
            itemgetter(*_SHIPPED)(row)
        return data, _stale(data, weights)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path} is damaged ({error!r}); record the scores again") from error


def _stale(data: Mapping[str, Any], weights: Path) -> str:
    wrong = [k for k in ("generator", "vae") if data["model"][k] != _hash(weights / k)]
    if wrong:
        return f"measured with another {' and '.join(wrong)} than {weights} holds now"
    if data["bench"] != {"version": VERSION, "index": index_sha256()}:
        return f"measured with OmniBench {data['bench']['version']}, this is {VERSION}"
    if changed := scorer_changed(data):
        return changed
    block = data.get("upscaling")
    if block and block.get("upscaler") != upscaler_sha256(weights / "upscaler"):
        return f"super-resolution was measured with another upscaler than {weights} holds now"
    return ""


def _hash(component: Path) -> str:
    return str(verify(component)["sha256"].get("model.safetensors", ""))
