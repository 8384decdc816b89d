"""How a time shift grows with the length of a sample.

The longer a clip and the larger its frames, the more noise it takes to hide what many tokens say
together, so long samples need a larger shift. Training, the student's phases and sampling all ask
:class:`LengthShift`, so a sample is made at the noise levels that samples of its length were
learned at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from omnireel.errors import InvalidInput

ShiftKind = Literal["constant", "tokens", "mean"]


@dataclass(frozen=True)
class LengthShift:
    """What multiplies the configured shift, for T latent frames with S tokens each.

    - ``constant``: 1.
    - ``tokens``: l(S) sqrt(T), where the line l leads from 1 at 256 tokens to 3 at 4096 (Open-Sora
      2.0, arXiv 2503.09642; its ``get_schedule``). As published with a shift of 1.
    - ``mean``: exp(m(S T)), where the line m leads from 0.95 at 1024 tokens to 2.05 at 4096 and
      stays there (LTX-2, arXiv 2601.03233; ``ShiftedLogitNormalTimestepSampler`` of its trainer).
      Since sigmoid(N(m, std)) is sigmoid(N(0, std)) shifted by exp(m), this is a mean of the
      logit-normal times that depends on the length. As published with a shift of 1, a time_mean of
      0 and a uniform_share of 0.1; times are not stretched to reach 0 and 1.
    """

    kind: ShiftKind = "constant"
    token_scale: float = 1.0
    """How many tokens of those models one token counts as: theirs are 16 x 16 pixels of a frame
    (Open-Sora) and 32 x 32 pixels (LTX-2)."""

    def __post_init__(self) -> None:
        kinds = get_args(ShiftKind)
        if self.kind not in kinds:
            raise InvalidInput(f"kind is one of {', '.join(kinds)}", field="shift_by.kind")
        if not 0 < self.token_scale < math.inf:
            raise InvalidInput("token_scale must be more than 0", field="shift_by.token_scale")

    def of(self, shift: float, latent_shape: tuple[int, int, int], patch: int) -> float:
        """The shift of a sample.

        Args:
            shift: the configured one.
            latent_shape: the target's latent (T, H, W).
            patch: tokens are ``patch x patch`` squares of a latent frame.

        """
        if self.kind == "constant":
            return shift
        frames, height, width = latent_shape
        tokens = self.token_scale * height * width / patch**2
        if self.kind == "tokens":
            return shift * _line(tokens, (256, 1.0), (4096, 3.0)) * math.sqrt(frames)
        return shift * math.exp(_line(min(tokens * frames, 4096), (1024, 0.95), (4096, 2.05)))


CONSTANT = LengthShift()


def _line(x: float, a: tuple[float, float], b: tuple[float, float]) -> float:
    """The straight line through two points, at ``x``."""
    return a[1] + (x - a[0]) * (b[1] - a[1]) / (b[0] - a[0])
