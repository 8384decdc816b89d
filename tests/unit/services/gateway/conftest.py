from __future__ import annotations

from pathlib import Path

import pytest

from omnireel.api.v1 import capabilities_pb2
from services.common.convert_generation import model_info_to_proto
from services.gateway.settings import GatewaySettings
from tests.support.engines.capabilities import test_model as described_model


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(
        listen="127.0.0.1:0",
        database_url=f"sqlite:///{tmp_path / 'jobs.db'}",
        store_url=(tmp_path / "objects").as_uri(),
        prompt_enhancer="127.0.0.1:1",
        generator="127.0.0.1:1",
        super_resolver="127.0.0.1:1",
        watch_poll_s=0.01,
    )


@pytest.fixture
def can() -> capabilities_pb2.Capabilities:
    """What the test generator says, with an enhancer, a super-resolver and priorities."""
    made = capabilities_pb2.Capabilities()
    made.CopyFrom(model_info_to_proto(described_model("generator")).capabilities)
    made.can_enhance, made.upscale_factor = True, 2
    made.defaults.num_upscale_steps = 4
    made.limits.min_priority, made.limits.max_priority = -10, 10
    for kind in ("prompt_enhancer", "generator", "super_resolver"):
        setattr(made.model_versions, kind, "test-1")
    return made
