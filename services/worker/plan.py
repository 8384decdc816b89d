"""The stages of a job: what each one asks of its service, given what the earlier ones left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from omnireel.api.v1 import (
    generation_pb2,
    generator_pb2,
    media_pb2,
    mvl_pb2,
    prompt_enhancer_pb2,
    super_resolver_pb2,
    video_pb2,
)
from services.common.checkpoints import state_prefix
from services.common.jobs import Job, Lease, Stage, StageOutput
from services.common.jobs.costs import StageCost
from services.common.stage_costs import enhance_cost, generate_cost, upscale_cost
from services.worker.clients import ModelCall, ModelClients


@dataclass(frozen=True)
class Work:
    """A claimed job: the resolved request and the outputs of the stages that are done."""

    job: Job
    lease: Lease
    request: video_pb2.CreateVideoRequest
    outputs: Mapping[Stage, StageOutput]

    @property
    def context(self) -> generation_pb2.JobContext:
        """Who calls, for the model services."""
        context = generation_pb2.JobContext(
            job_id=self.job.id, fencing_token=self.lease.token, priority=self.job.priority
        )
        if self.job.deadline is not None:
            context.deadline.FromNanoseconds(round(self.job.deadline * 1e9))
        return context

    @property
    def output_prefix(self) -> str:
        """Where this attempt writes; another attempt writes elsewhere and spoils nothing."""
        return f"jobs/{self.job.id}/{self.lease.token}"

    @property
    def prompt(self) -> mvl_pb2.Prompt:
        """What the generator is given: the enhanced prompt where there is one."""
        output = self.outputs.get(Stage.ENHANCE)
        if output is None:
            return self.request.prompt
        return prompt_enhancer_pb2.EnhanceResult.FromString(output.data).enhancement.prompt

    @property
    def generated(self) -> generator_pb2.GenerateResult:
        """What the generator left."""
        return generator_pb2.GenerateResult.FromString(self.outputs[Stage.GENERATE].data)

    @property
    def result(self) -> media_pb2.Media:
        """The best video so far."""
        output = self.outputs.get(Stage.UPSCALE)
        if output is None:
            return self.generated.video
        return super_resolver_pb2.UpscaleResult.FromString(output.data).video


Result = (
    prompt_enhancer_pb2.EnhanceResult
    | generator_pb2.GenerateResult
    | super_resolver_pb2.UpscaleResult
)


class ModelStage(Protocol):
    """A stage that one model service runs."""

    stage: Stage

    def call(self, clients: ModelClients, work: Work, timeout_s: float | None) -> ModelCall:
        """Start the call."""
        ...

    def media(self, result: Result) -> Iterable[media_pb2.Media]:
        """The objects that the caller may use from now on."""
        ...

    def cost(self, work: Work, result: Result, first_step: int) -> StageCost | None:
        """What it took, as the service itself measured it: without waiting for its device.

        ``first_step`` is the first that this attempt made; None: it tells nothing of others.
        """
        ...


class EnhanceStage:
    """Rewrites the prompt."""

    stage = Stage.ENHANCE

    def call(self, clients: ModelClients, work: Work, timeout_s: float | None) -> ModelCall:
        """Start the call."""
        request = prompt_enhancer_pb2.EnhanceRequest(
            job=work.context,
            prompt=work.request.prompt,
            model_version=work.request.model_versions.prompt_enhancer,
            format=work.request.settings.format,
        )
        return clients.call(clients.prompt_enhancer.Enhance, request, work.job, timeout_s)

    def media(self, result: Result) -> Iterable[media_pb2.Media]:
        """Words only."""
        return ()

    def cost(self, work: Work, result: Result, first_step: int) -> StageCost | None:
        """One enhancement."""
        assert isinstance(result, prompt_enhancer_pb2.EnhanceResult)
        return enhance_cost(result)


class GenerateStage:
    """Denoises the base video."""

    stage = Stage.GENERATE

    def call(self, clients: ModelClients, work: Work, timeout_s: float | None) -> ModelCall:
        """Start the call."""
        request = generator_pb2.GenerateRequest(
            job=work.context,
            prompt=work.prompt,
            settings=work.request.settings,
            model_version=work.request.model_versions.generator,
            output_prefix=work.output_prefix,
            preview_every_steps=work.request.preview_every_steps,
            state_prefix=state_prefix(work.job.id),
        )
        stub = clients.generator
        return clients.call(stub.Generate, request, work.job, timeout_s, stub.Preempt)

    def media(self, result: Result) -> Iterable[media_pb2.Media]:
        """The base video."""
        assert isinstance(result, generator_pb2.GenerateResult)
        return (result.video,)

    def cost(self, work: Work, result: Result, first_step: int) -> StageCost | None:
        """So many network evaluations of this format."""
        assert isinstance(result, generator_pb2.GenerateResult)
        return generate_cost(work.request.settings, result, first_step)


class UpscaleStage:
    """Refines it to a larger one."""

    stage = Stage.UPSCALE

    def call(self, clients: ModelClients, work: Work, timeout_s: float | None) -> ModelCall:
        """Start the call."""
        generated = work.generated
        request = super_resolver_pb2.UpscaleRequest(
            job=work.context,
            prompt=work.prompt,
            latents_uri=generated.latents_uri,
            video_uri=generated.video.uri,
            settings=generated.settings,
            model_version=work.request.model_versions.super_resolver,
            output_prefix=work.output_prefix,
            preview_every_steps=work.request.preview_every_steps,
            state_prefix=state_prefix(work.job.id),
        )
        stub = clients.super_resolver
        return clients.call(stub.Upscale, request, work.job, timeout_s, stub.Preempt)

    def media(self, result: Result) -> Iterable[media_pb2.Media]:
        """The larger video."""
        assert isinstance(result, super_resolver_pb2.UpscaleResult)
        return (result.video,)

    def cost(self, work: Work, result: Result, first_step: int) -> StageCost | None:
        """So many denoising steps from this format."""
        assert isinstance(result, super_resolver_pb2.UpscaleResult)
        return upscale_cost(work.request.settings, result, first_step)


def model_stages(request: video_pb2.CreateVideoRequest) -> tuple[ModelStage, ...]:
    """The model stages of a resolved request (``enhance`` and ``upscale`` are set), in order."""
    stages: list[ModelStage] = []
    if request.enhance:
        stages.append(EnhanceStage())
    stages.append(GenerateStage())
    if request.upscale:
        stages.append(UpscaleStage())
    return tuple(stages)
