"""A verb of the command line as a step of a workflow, in two forms.

*In a container* the step is ``omnireel <verb> ...`` in the product's image, which has no kfp.
*On this machine* Kubeflow's local runner takes Python components only; there the same words run in
a process of kfp's executor (:mod:`pipelines.components.local`).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfp import dsl

Words = list[Any]
"""A command line after ``omnireel``; values that are known only when it runs are placeholders."""
LOCAL_MODULE = Path(__file__).with_name("local.py")
LOCAL_IMAGE = "python"
"""kfp's local runner runs no image, but looks at the name."""


@dataclass(frozen=True)
class Verb:
    """What a step runs. ``words`` is a function of the step's inputs and outputs, whose annotations
    are the step's interface."""

    words: Callable[..., Words]
    retries: int = 0
    """Times that a failed step is tried again: only verbs that go on where they were, or that do
    the same thing when they are repeated."""
    cached: bool = False
    """Whether its result follows from image, inputs and words alone. A verb that looks at a folder,
    an alias or a cluster never does."""
    submits: bool = False
    """It makes jobs in the cluster, and they must end with it."""
    generates: bool = False
    """It runs the model; its input ``device``, which the place gives, says where."""
    calls: bool = False
    """It asks a gateway for videos, and needs a key of its own there."""

    @property
    def name(self) -> str:
        """The step's, and the function's."""
        return self.words.__name__


def in_container(verb: Verb, image: str) -> Any:
    """The component that runs the verb in a container of ``image``."""

    def container(*values: Any) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image=image, command=["omnireel"], args=verb.words(*values))

    return dsl.container_component(with_interface(container, verb))


def on_this_machine(verb: Verb) -> Any:
    """The component that runs the verb in kfp's local runner."""
    # The interpreter's full path: this form is kfp's own, and it refuses a bare python3.
    command: Sequence[str] = [sys.executable, "-m", "kfp.dsl.executor_main"]
    arguments = [
        "--component_module_path",
        str(LOCAL_MODULE),
        "--function_to_execute",
        verb.name,
        "--executor_input",
        dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER,
    ]

    def container(*_: Any) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image=LOCAL_IMAGE, command=list(command), args=arguments)

    return dsl.container_component(with_interface(container, verb))


def with_interface(function: Callable[..., Any], verb: Verb) -> Callable[..., Any]:
    """``function`` with the name, the help and the interface of a verb, as kfp reads them."""
    function.__name__ = verb.name
    function.__doc__ = verb.words.__doc__
    signature = inspect.signature(verb.words)
    signature = signature.replace(return_annotation=inspect.Signature.empty)
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__annotations__ = {n: p.annotation for n, p in signature.parameters.items()}
    return function
