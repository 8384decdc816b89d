"""Whether the served generator was trained for what the inputs of a prompt are there for."""

from __future__ import annotations

from collections.abc import Iterator

from omnireel.api.v1 import capabilities_pb2, mvl_pb2
from omnireel.errors import FieldViolation
from services.common.capability_titles import CAPABILITY_TITLES

_NEEDS: dict[tuple[int, int], tuple[str, ...]] = {
    (mvl_pb2.MEDIA_KIND_IMAGE, mvl_pb2.ROLE_STORYBOARD): ("C24",),
    (mvl_pb2.MEDIA_KIND_IMAGE, mvl_pb2.ROLE_ANNOTATION): ("C22", "C25"),
    (mvl_pb2.MEDIA_KIND_VIDEO, mvl_pb2.ROLE_REFERENCE): ("C13", "C14", "C15"),
}
"""Kind and role of an input -> rows of the capability table of which one must be served."""


def task_violations(
    prompt: mvl_pb2.Prompt, can: capabilities_pb2.Capabilities
) -> Iterator[FieldViolation]:
    """One violation for each input that the generator would not understand.

    A generator that does not say what it was trained for is asked for anything.
    """
    trained = {task.id for task in can.tasks if task.trained}
    for index, declared in enumerate(prompt.inputs):
        role = declared.role or mvl_pb2.ROLE_REFERENCE
        needed = _NEEDS.get((declared.kind, role), ())
        if trained and needed and not trained.intersection(needed):
            rows = " or ".join(f"{row} ({CAPABILITY_TITLES[row]})" for row in needed)
            name = mvl_pb2.Role.Name(role).removeprefix("ROLE_").lower()
            yield FieldViolation(
                f"prompt.inputs[{index}].role",
                f"@{declared.name} is a {name}, but the served generator was not trained for "
                f"{rows}; leave it out or serve another model",
            )
