"""Run one model service with its test engine: see :mod:`tests.support.engines`."""

from __future__ import annotations

import argparse
import os

from services.common.server import run_main
from services.generator.main import main as generator
from services.prompt_enhancer.main import main as prompt_enhancer
from services.super_resolver.main import main as super_resolver
from tests.support.engines.behaviour import wait_for_load_file
from tests.support.engines.generator import TestGenerator
from tests.support.engines.prompt_enhancer import TestPromptEnhancer
from tests.support.engines.super_resolver import TestSuperResolver

SERVICES = {
    "prompt_enhancer": (prompt_enhancer, TestPromptEnhancer),
    "generator": (generator, TestGenerator),
    "super_resolver": (super_resolver, TestSuperResolver),
}


def main() -> int:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("--listen", help="host:port, sets OMNIREEL_<SERVICE>_LISTEN")
    parser.add_argument("--address-file", help="sets OMNIREEL_<SERVICE>_ADDRESS_FILE")
    parser.add_argument("--store-url", help="sets OMNIREEL_<SERVICE>_STORE_URL")
    given = parser.parse_args()
    for name in ("listen", "address_file", "store_url"):
        if getattr(given, name):
            os.environ[f"OMNIREEL_{given.service}_{name}".upper()] = getattr(given, name)
    run, engine = SERVICES[given.service]

    def load(_settings: object) -> object:
        wait_for_load_file()
        return engine()

    return run(load)  # type: ignore[operator]


if __name__ == "__main__":
    run_main(main)
