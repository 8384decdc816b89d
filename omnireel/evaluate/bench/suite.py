"""The fixed cases, and the committed index that holds them fast.

Case number n of a capability is fixed by its seed. Of three times as many seeds those are taken
that spread best over subjects, scenarios and challenges.

``python -m omnireel.evaluate.bench.suite`` writes the index anew, which is only right together
with a new ``VERSION``: scores of different versions are not comparable.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path

from omnireel.errors import IntegrityError, InvalidInput
from omnireel.evaluate.bench.tags import Tags, tags_of
from omnireel.evaluate.cases import QUICK_FORMAT
from omnireel.files import atomic_write
from omnireel.types import VideoFormat
from omnireel.world.holdout import Split
from omnireel.world.tasks import CAPABILITIES, TaskSample, draw_plan
from omnireel.world.tasks.plan import Plan
from omnireel.world.tasks.realise import realise

VERSION = 1
FORMAT = QUICK_FORMAT
FIRST_SEED = 2_000_000_000
"""Far from the seeds of training, of the quick evaluation and of preferences."""
COUNTS: dict[Split, int] = {"train": 16, "held_out": 8}
"""Cases of one capability: combinations as in training, and such as training never shows."""
QUICK = 2
"""The first so many cases of each capability make the quick form."""
INDEX = Path(__file__).with_name("index.json")

_POOL = 3


@dataclass(frozen=True)
class BenchCase:
    """One line of the index. ``plan`` is the hash of scenes, words and roles."""

    id: str
    """Capability and number: "C9-03"."""
    capability: str
    number: int
    split: Split
    seed: int
    tags: Tags
    plan: str

    @property
    def held_out(self) -> bool:
        """Whether training never shows this combination."""
        return self.split == "held_out"


@cache
def read_index(path: Path = INDEX) -> tuple[BenchCase, ...]:
    """The committed cases, ordered by capability and number.

    Raises:
        IntegrityError: the file is of another version.

    """
    data = json.loads(path.read_text(encoding="utf-8"))
    if data["version"] != VERSION:
        raise IntegrityError(f"{path} has version {data['version']}, this is OmniBench {VERSION}")
    return tuple(BenchCase(**{**case, "tags": Tags(**case["tags"])}) for case in data["cases"])


def index_sha256(path: Path = INDEX) -> str:
    """Hash of the index: what "the same benchmark" means."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def chosen(capabilities: Sequence[str] = (), *, quick: bool = False) -> tuple[BenchCase, ...]:
    """The cases of a run, the first numbers of all capabilities first.

    Raises:
        InvalidInput: an unknown capability.

    """
    for name in capabilities:
        if name not in CAPABILITIES:
            raise InvalidInput(
                f"unknown capability {name!r}; use one of {', '.join(CAPABILITIES)}",
                field="capability",
            )
    rows = capabilities or CAPABILITIES
    found = [c for c in read_index() if c.capability in rows and (c.number < QUICK or not quick)]
    return tuple(sorted(found, key=lambda c: (c.number, CAPABILITIES.index(c.capability))))


def partner_of(case: BenchCase) -> BenchCase:
    """The next case of the same capability and split, around the corner: whose facts the floor
    takes, whichever cases are run."""
    peers = [c for c in read_index() if (c.capability, c.split) == (case.capability, case.split)]
    return peers[(peers.index(case) + 1) % len(peers)]


def sample_of(case: BenchCase, fmt: VideoFormat = FORMAT) -> TaskSample:
    """The rendered case.

    Raises:
        IntegrityError: this release draws another one than the index was made with.

    """
    plan = draw_plan(case.capability, case.seed, fmt.duration_s, case.split)
    if plan_sha256(plan) != case.plan:
        raise IntegrityError(
            f"{case.id} is drawn as another scene than OmniBench {VERSION} has; the world has "
            "changed, so scores would not compare"
        )
    return realise(plan, case.capability, case.seed, fmt)


def choose(capability: str) -> Iterator[BenchCase]:
    """Draw the cases of a capability anew; the first ones are the most different."""
    number = 0
    for split, count in COUNTS.items():
        pool = [
            (seed, plan, tags_of(plan))
            for seed in range(FIRST_SEED, FIRST_SEED + count * _POOL)
            for plan in (draw_plan(capability, seed, FORMAT.duration_s, split),)
        ]
        used: Counter[str] = Counter()
        for _ in range(count):
            best = min(pool, key=lambda entry: (_crowd(entry[2], used), entry[0]))
            pool.remove(best)
            seed, plan, tags = best
            used.update(asdict(tags).values())
            yield BenchCase(
                f"{capability}-{number:02d}", capability, number, split, seed, tags,
                plan_sha256(plan),
            )  # fmt: skip
            number += 1


def _crowd(tags: Tags, used: Counter[str]) -> int:
    return sum(used[value] for value in asdict(tags).values())


def plan_sha256(plan: Plan) -> str:
    """Short hash of everything that a plan says, to nine digits."""
    return hashlib.sha256(json.dumps(_plain(plan), sort_keys=True).encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    """Data without the fields that hold their default, so that a new field changes nothing."""
    if is_dataclass(value) and not isinstance(value, type):
        kept: dict[str, object] = {"is": type(value).__name__}
        for field in fields(value):
            own, default = getattr(value, field.name), field.default
            if field.default_factory is not MISSING:
                default = field.default_factory()
            if own != default:
                kept[field.name] = _plain(own)
        return kept
    if isinstance(value, frozenset):
        return sorted(str(v) for v in value)
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return f"{value:.9g}" if isinstance(value, float) else value


def index_bytes(cases: Sequence[BenchCase]) -> bytes:
    """The index file: one case a line."""
    lines = ",\n".join("  " + json.dumps(asdict(case)) for case in cases)
    return f'{{\n "version": {VERSION},\n "cases": [\n{lines}\n ]\n}}\n'.encode()


def main() -> None:
    """Write the index."""
    atomic_write(INDEX, index_bytes([case for name in CAPABILITIES for case in choose(name)]))


if __name__ == "__main__":
    main()
