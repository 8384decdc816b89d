"""MVL prompt and media in, frames out: the one place that joins autoencoder, text, transformer and
sampler.

Read ``conditions`` (how a prompt becomes the model's sample), then ``pipeline`` (the generator) and
``upscaler`` (the super-resolver).
"""

from omnireel.generate.conditions import ConditionEncoder, source_ids
from omnireel.generate.pipeline import Generated, GeneratorPipeline
from omnireel.generate.settings import (
    GenerationSettings,
    ModelLimits,
    PipelineStep,
    SamplingDefaults,
    go_on_from,
)
from omnireel.generate.upscaler import UpscalePipeline

__all__ = [
    "ConditionEncoder",
    "Generated",
    "GenerationSettings",
    "GeneratorPipeline",
    "ModelLimits",
    "PipelineStep",
    "SamplingDefaults",
    "UpscalePipeline",
    "go_on_from",
    "source_ids",
]
