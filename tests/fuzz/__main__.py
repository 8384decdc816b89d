"""``python -m tests.fuzz --inputs 100000 --seed 1``: every fuzzer, and the totals at the end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from services.common.logs import configure_logs
from tests.fuzz.api import fuzz_api
from tests.fuzz.http import fuzz_http
from tests.fuzz.media import fuzz_media
from tests.fuzz.mvl import fuzz_mvl, fuzz_mvl_by_coverage
from tests.fuzz.tally import Tally, peak_rss_mib

MAX_RSS_MIB = 1024
FUZZERS: dict[str, tuple[Callable[[int, int], Tally], float]] = {
    "media": (fuzz_media, 0.25),
    "mvl": (fuzz_mvl, 0.25),
    "mvl-coverage": (fuzz_mvl_by_coverage, 0.25),
    "api": (fuzz_api, 0.2),
    "http": (fuzz_http, 0.05),
}
"""Each with its share of the inputs."""


def main() -> int:
    """Fuzz; the status says whether everything held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=FUZZERS, action="append")
    arguments = parser.parse_args()
    configure_logs("fuzz", level="error")  # the stories of internal errors
    chosen = {name: FUZZERS[name] for name in arguments.only or FUZZERS}
    whole = sum(share for _, share in chosen.values())
    tallies = []
    for fuzz, share in chosen.values():
        tally = fuzz(round(arguments.inputs * share / whole), arguments.seed)
        tallies.append(tally)
        print(tally.line(), dict(tally.by_outcome), flush=True)
        for story in tally.stories:
            print(story, file=sys.stderr, flush=True)
    crashes = sum(tally.crashes for tally in tallies)
    hangs = sum(tally.hangs for tally in tallies)
    peak = peak_rss_mib()
    inputs = sum(tally.inputs for tally in tallies)
    print(f"inputs={inputs} crashes={crashes} hangs={hangs} peak_rss_mib={peak}")
    return 1 if crashes or hangs or peak > MAX_RSS_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
