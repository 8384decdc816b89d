"""From noise to latents: noise schedules, guidance and the sampling loop.

The model is passed in; nothing here knows its architecture.
"""

from omnireel.sampling.guidance import Guidance
from omnireel.sampling.sampler import SamplerState, SamplerStep, sample_latents
from omnireel.sampling.schedule import shifted_sigmas

__all__ = ["Guidance", "SamplerState", "SamplerStep", "sample_latents", "shifted_sigmas"]
