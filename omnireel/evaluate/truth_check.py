"""How wrong the oracles are: their answers on exact renderings, with true and with false facts.

``python -m omnireel.evaluate.truth_check --count 200`` prints the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from omnireel.evaluate.bootstrap import Interval, mean_interval
from omnireel.evaluate.cases import Case, CaseConfig, cases_of
from omnireel.evaluate.judgement import Viewer
from omnireel.evaluate.makers import through_vae
from omnireel.evaluate.oracles import oracles_of
from omnireel.evaluate.perception import Perception, load_perception
from omnireel.evaluate.quick import score_all, shuffled_partner
from omnireel.generate.components import load_vae
from omnireel.media import resize
from omnireel.types import Clip
from omnireel.world.tasks import CAPABILITIES

Corruption = Callable[[Clip], Clip]


@dataclass(frozen=True)
class OracleError:
    """Mean answers of one oracle to exact renderings.

    ``true`` (should be 1, or infinitely many dB) with the facts that were rendered, ``false`` with
    those of another case: what is right by chance or because cases share facts.
    """

    capability: str
    oracle: str
    true: Interval
    false: Interval


def sharp(clip: Clip) -> Clip:
    """The clip itself."""
    return clip


def blurred(clip: Clip) -> Clip:
    """The clip shrunk to half its size and back, about as soft as generated frames are."""
    fmt = clip.format
    return resize(resize(clip, fmt.width // 2, fmt.height // 2), fmt.width, fmt.height)


def oracle_error(
    capability: str,
    eyes: Perception,
    *,
    count: int = 50,
    seed: int = 1,
    corrupt: Corruption = sharp,
    single: bool = False,
) -> list[OracleError]:
    """Measure every oracle of a capability on ``count`` exact renderings.

    Args:
        capability: a row of the capability table.
        eyes: the readers.
        count: clips.
        seed: of the cases; the quick evaluation uses 0.
        corrupt: what happens to each clip before it is judged.
        single: keep only scenes with one body in the natural style.
    """
    config = CaseConfig((capability,), count=count, held_out_share=0.0, seed=seed)
    cases = [case for case in cases_of(capability, config) if not single or _is_plain(case)]
    viewer = Viewer(eyes)
    true: dict[str, list[float]] = {}
    false: dict[str, list[float]] = {}
    for case in cases:
        clip = corrupt(case.sample.target)
        other = shuffled_partner(case, cases).sample
        for sample, found in ((case.sample, true), (other, false)):
            for name, value in score_all(clip, sample, viewer).items():
                if value is not None:
                    found.setdefault(name, []).append(value)
    return [
        OracleError(
            capability, oracle.name, mean_interval(true[oracle.name]),
            mean_interval(false[oracle.name]),
        )
        for oracle in oracles_of(capability)
        if oracle.name in true and oracle.name in false
    ]  # fmt: skip


def _is_plain(case: Case) -> bool:
    scene = case.sample.scene
    return len(scene.bodies) == 1 and scene.style == "natural"


def main() -> None:
    """Print the errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--capability", action="append", choices=CAPABILITIES)
    parser.add_argument("--blurred", action="store_true")
    parser.add_argument("--vae", type=Path, help="autoencoder to send the clips through")
    parser.add_argument("--single", action="store_true")
    args = parser.parse_args()
    eyes = load_perception()
    corrupt = blurred if args.blurred else sharp
    if args.vae is not None:
        corrupt = partial(through_vae, vae=load_vae(args.vae))
    for capability in args.capability or CAPABILITIES:
        for e in oracle_error(
            capability, eyes, count=args.count, corrupt=corrupt, single=args.single
        ):
            print(
                f"{e.capability:4} {e.oracle:12} true {e.true.shown('6.3f')}  "
                f"false {e.false.estimate:6.3f}  "
                f"n {e.true.count}"
            )


if __name__ == "__main__":
    main()
