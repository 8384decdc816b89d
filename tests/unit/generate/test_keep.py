"""An edit shows the source's own pixels where it changed nothing, and only there."""

from __future__ import annotations

import pytest
import torch

from omnireel.errors import InvalidInput
from omnireel.generate.keep import KEEP, KeepConfig, changed_share, show_given, still_share

SHAPE = (3, 5, 32, 32)


def clips(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A source, and the source as an autoencoder leaves it."""
    rng = torch.Generator().manual_seed(seed)
    source = torch.rand(SHAPE, generator=rng) * 1.6 - 0.8
    return source, source + 0.3 * torch.randn(SHAPE, generator=rng)


def keep_source(
    result: torch.Tensor, source: torch.Tensor, decoded: torch.Tensor, config: KeepConfig = KEEP
) -> torch.Tensor:
    return show_given(result, source, changed_share(result, decoded, config))


def test_an_edit_that_changes_nothing_is_the_source() -> None:
    source, decoded = clips()
    noise = 0.04 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(keep_source(decoded + noise, source, decoded), source)


def test_what_changed_is_the_result_and_what_is_far_from_it_the_source() -> None:
    source, decoded = clips()
    result = decoded.clone()
    result[:, :, 8:24, 8:24] += 0.8
    shown = keep_source(result, source, decoded)
    inside, far = (..., slice(12, 20), slice(12, 20)), (..., slice(0, 3), slice(None))
    torch.testing.assert_close(shown[inside], result[inside])
    torch.testing.assert_close(shown[far], source[far])


def test_the_blend_between_is_continuous() -> None:
    source, decoded = clips()
    ramp = torch.linspace(0.0, 0.4, 32).expand(SHAPE)
    shown = keep_source(decoded + ramp, source, decoded, KeepConfig(window=1))
    share = ((shown - source) / (decoded + ramp - source)).median(dim=0).values[0, 0]
    assert bool((share.diff() >= -1e-4).all())
    assert share[0] == pytest.approx(0, abs=1e-4) and share[-1] == pytest.approx(1, abs=1e-4)


def test_frames_after_the_source_ends_stay_as_they_are() -> None:
    source, decoded = clips()
    shown = keep_source(decoded, source[:, :3], decoded[:, :3])
    torch.testing.assert_close(shown[:, :3], source[:, :3])
    assert torch.equal(shown[:, 3:], decoded[:, 3:])


@pytest.mark.parametrize(
    ("fields", "named"), [({"window": 4}, "window"), ({"same_below": 0.5}, "same_below")]
)
def test_impossible_settings_are_named(fields: dict[str, float], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        KeepConfig(**fields)  # type: ignore[arg-type]


def test_a_given_frame_counts_strictly_for_all_frames_but_itself() -> None:
    still = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(3)) - 0.5
    shown = still.expand(SHAPE) + 0.12
    for at, other in ((0, 4), (-1, 0)):
        share = still_share(shown, still, at)
        assert float(share[:, at].max()) < 0.1 < 0.4 < float(share[:, other].min())
