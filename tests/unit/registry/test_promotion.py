"""The champion moves only through a passed verdict, one step at a time."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.registry import claims
from omnireel.registry.claims import ClaimConfig, claim
from omnireel.registry.promotion import HISTORY, promote, rollback
from omnireel.registry.publishing import register
from omnireel.registry.tracking import open_client
from omnireel.registry.verdict import GateVerdict, Reason
from omnireel.registry.versions import ModelVersion, Registry
from tests.support.registry import fresh_registry, small_component

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return fresh_registry(tmp_path / "mlflow")


@pytest.fixture
def versions(uri: str, tmp_path: Path) -> list[ModelVersion]:
    return [
        register(small_component(tmp_path / str(i), float(i)), name="gen", tracking_uri=uri)
        for i in range(3)
    ]


def verdict(
    candidate: ModelVersion, champion: ModelVersion | None, *, passed: bool = True
) -> GateVerdict:
    reason = Reason(passed, "mean is 0.6 [0.5..0.7]: the lower bound is not at least 0.55")
    return GateVerdict(candidate.weights_hash, champion.content_hash if champion else "", (reason,))


def champion(uri: str) -> str:
    found = Registry.open(uri).champion("gen")
    return found.ref if found else ""


def test_steps_forward_and_back(uri: str, versions: list[ModelVersion]) -> None:
    first, second, third = versions
    assert promote("gen/1", verdict(first, None), tracking_uri=uri).previous is None
    assert promote("gen/2", verdict(second, first), tracking_uri=uri).previous is not None
    again = promote("gen/2", verdict(second, first), tracking_uri=uri)
    assert again.previous is not None and again.previous.ref == "gen/1"
    promote("gen/3", verdict(third, second), tracking_uri=uri)
    done = rollback("gen", tracking_uri=uri)
    assert done.version.ref == "gen/2" and done.previous is not None
    assert done.previous.ref == "gen/3"
    assert rollback("gen", tracking_uri=uri).version.ref == "gen/1"
    with pytest.raises(FailedPrecondition, match="none to go back to"):
        rollback("gen", tracking_uri=uri)
    assert champion(uri) == "gen/1"
    promote("gen/3", verdict(third, first), tracking_uri=uri)
    assert rollback("gen", tracking_uri=uri).version.ref == "gen/1"
    tags = open_client(uri).get_model_version("gen", "3").tags
    assert tags["omnireel.gate"] == "passed" and "omnireel.rolled_back_at" in tags
    assert Registry.open(uri).model_tags("gen").keys() == {HISTORY}  # no claim is left


def test_a_refusal_says_why_and_is_written_down(uri: str, versions: list[ModelVersion]) -> None:
    with pytest.raises(FailedPrecondition, match=r"gen/1 is not promoted: failed: mean is 0\.6"):
        promote("gen/1", verdict(versions[0], None, passed=False), tracking_uri=uri)
    assert champion(uri) == ""
    version = Registry.open(uri).resolve("gen/1")
    assert version.gate == "refused"
    assert version.gate_reasons[0].startswith("failed: mean is 0.6 [0.5..0.7]")
    with pytest.raises(FailedPrecondition, match="no rule"):
        promote("gen/1", GateVerdict(version.content_hash, "", ()), tracking_uri=uri)


def test_a_verdict_holds_for_one_content_and_one_champion(
    uri: str, versions: list[ModelVersion]
) -> None:
    first, second, third = versions
    with pytest.raises(InvalidInput, match="the verdict is about content"):
        promote("gen/2", verdict(first, None), tracking_uri=uri)
    promote("gen/1", verdict(first, None), tracking_uri=uri)
    with pytest.raises(FailedPrecondition, match=r"no champion, but the champion .* gen/1 now"):
        promote("gen/2", verdict(second, None), tracking_uri=uri)
    with pytest.raises(FailedPrecondition, match="measure against that"):
        promote("gen/3", verdict(third, second), tracking_uri=uri)
    assert champion(uri) == "gen/1"


def test_of_two_at_once_one_wins_and_the_other_is_told(
    uri: str, versions: list[ModelVersion]
) -> None:
    start = threading.Barrier(2, timeout=60)
    outcomes: dict[str, str] = {}

    def run(version: ModelVersion) -> None:
        start.wait()
        try:
            promote(version.ref, verdict(version, None), tracking_uri=uri)
            outcomes[version.ref] = "champion"
        except FailedPrecondition as error:
            outcomes[version.ref] = error.message

    threads = [threading.Thread(target=run, args=(version,)) for version in versions[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [ref for ref, outcome in outcomes.items() if outcome == "champion"]
    assert winners == [champion(uri)]
    (loser,) = outcomes.keys() - set(winners)
    assert "measure against that and promote again" in outcomes[loser]


def test_a_claim_keeps_others_out_until_it_expires(
    uri: str, versions: list[ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.open(uri)
    impatient = ClaimConfig(attempts=2, longest_wait_s=0.0)
    with (
        claim(registry, "gen", "champion", 2),
        pytest.raises(FailedPrecondition, match=r"being moved by .* \(to version 2\)"),
        claim(registry, "gen", "champion", 1, impatient),
    ):
        raise AssertionError("two claims at once")
    # A process that was killed leaves its claim behind.
    abandoned = json.dumps({"version": 3, "owner": "host:1", "at": time.time() - 500})
    registry.client.set_registered_model_tag("gen", "omnireel.claim.champion.0", abandoned)
    with claim(registry, "gen", "champion", 1, impatient):
        assert len(registry.model_tags("gen")) == 1
    with pytest.raises(ZeroDivisionError), claim(registry, "gen", "champion", 1):
        raise ZeroDivisionError
    assert registry.model_tags("gen") == {}
    assert claims.ClaimConfig().lifetime_s > 60


def test_a_step_that_was_cut_off_does_not_count(
    uri: str, versions: list[ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = versions
    promote("gen/1", verdict(first, None), tracking_uri=uri)
    promote("gen/2", verdict(second, first), tracking_uri=uri)

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("omnireel.registry.promotion._point", killed)
        with pytest.raises(KeyboardInterrupt):
            promote("gen/3", verdict(third, second), tracking_uri=uri)
    assert champion(uri) == "gen/2"
    assert rollback("gen", tracking_uri=uri).version.ref == "gen/1"


def test_what_cannot_be_rolled_back(uri: str, versions: list[ModelVersion]) -> None:
    with pytest.raises(NotFound, match=r"no model is named 'gem'.*there are gen"):
        rollback("gem", tracking_uri=uri)
    with pytest.raises(FailedPrecondition, match="has no champion"):
        rollback("gen", tracking_uri=uri)
    first, second, _ = versions
    promote("gen/1", verdict(first, None), tracking_uri=uri)
    promote("gen/2", verdict(second, first), tracking_uri=uri)
    open_client(uri).delete_model_version("gen", "1")
    with pytest.raises(NotFound, match="gen/1 was deleted"):
        rollback("gen", tracking_uri=uri)
    assert champion(uri) == "gen/2"
