"""``omnireel data caption``: captions at four levels for a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnireel.cli.printing import err
from omnireel.cli.run_output import data_report
from omnireel.errors import InvalidInput

if TYPE_CHECKING:
    from omnireel.data.captioning.captioners import Answers, Captioner


def caption(
    folder: Annotated[Path, typer.Argument(help="Folder of clips and images.")],
    captioner: Annotated[
        str,
        typer.Option(
            help="scene-graph, the folder of a transformers vision-language model, or the URL of "
            "an OpenAI-compatible endpoint."
        ),
    ],
    model: Annotated[str, typer.Option(help="Model name at the endpoint.")] = "",
    key_env: Annotated[
        str, typer.Option(help="Environment variable that holds the endpoint's key.")
    ] = "",
    per_minute: Annotated[
        float, typer.Option(min=0.0, help="Requests per minute; 0: no limit.")
    ] = 0.0,
    beside: Annotated[
        str, typer.Option(help="Level that is written to name.txt: terse, short, full, elaborate.")
    ] = "full",
) -> None:
    """Write four levels of captions; the same command goes on when interrupted.

    Each is checked (length, language, form, facts where they are known); what fails twice is named
    and left without. Texts of a person are never replaced.

    Example: omnireel data caption my_clips --captioner /models/qwen-vl
    """
    from omnireel.data.captioning.folder import caption_folder
    from omnireel.data.captioning.levels import RULES

    if beside not in RULES:
        raise InvalidInput(f"--beside must be one of {', '.join(RULES)}", field="beside")
    show = data_report()
    done = caption_folder(
        folder,
        open_captioner(captioner, model, key_env, per_minute),
        beside,
        report=lambda done, total: show("writing captions", done, total),
    )
    for name, why in list(done.refused.items())[:5]:
        err().print(f"no caption: {name}: {why}", markup=False)
    if done.foreign:
        more = f" and {len(done.foreign) - 5} more" if len(done.foreign) > 5 else ""
        err().print(f"left as they are: {', '.join(done.foreign[:5])}{more}", markup=False)
    typer.echo(f"{folder}: {done.written} written, {done.kept} kept, {len(done.refused)} refused")


def open_captioner(name: str, model: str, key_env: str, per_minute: float) -> Captioner:
    """The captioner that a person names.

    Raises:
        NotFound, FailedPrecondition, InvalidInput: it cannot be opened.

    """
    from omnireel.data.captioning.captioners import ModelCaptioner, SceneGraphCaptioner
    from omnireel.enhancer.spec import EnhancerSpec

    answers: Answers
    if name == "scene-graph":
        return SceneGraphCaptioner()
    if name.startswith(("http://", "https://")):
        from omnireel.enhancer.openai_backend import OpenAIEnhancer

        spec = EnhancerSpec("openai", url=name, model=model, api_key_env=key_env)
        answers, title = OpenAIEnhancer.from_spec(spec), model
    else:
        from omnireel.enhancer.transformers_backend import TransformersEnhancer

        answers = TransformersEnhancer.load(Path(name), max_new_tokens=400)
        title = Path(name).name
    return ModelCaptioner(answers, title, per_minute)
