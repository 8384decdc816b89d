"""Any local vision-language model in ``transformers`` form as an enhancer.

The folder must hold what ``AutoModelForImageTextToText`` and ``AutoProcessor`` read (Qwen-VL,
SmolVLM, LLaVA, ...), chat template included. Nothing is ever downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
)

from omnireel.enhancer.base import Enhancement, from_output, never, stopped
from omnireel.enhancer.instructions import SYSTEM, Shown, shrink, user_message
from omnireel.errors import FailedPrecondition, InvalidInput, NotFound
from omnireel.mvl.prompt import Prompt
from omnireel.types import MediaSet

MAX_PICTURE_SIDE = 512
_THINK = "<think>"
_TAIL_TOKENS = 16


class _Asked(StoppingCriteria):  # type: ignore[misc]
    """Ends the writing once ``cancelled()`` is true; transformers asks after every token."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        """One answer for each row of ``input_ids`` ``[B, N]``."""
        return torch.full((len(input_ids),), self._cancelled(), device=input_ids.device)


class TransformersEnhancer:
    """A vision-language model in this process; greedy, so deterministic."""

    def __init__(self, model: Any, processor: Any, *, max_new_tokens: int) -> None:
        self._model = model.eval()
        self._processor = processor
        self._max_new_tokens = max_new_tokens

    @classmethod
    def load(
        cls, folder: Path, *, max_new_tokens: int, device: str = "auto"
    ) -> TransformersEnhancer:
        """Load from a local folder onto ``device`` (``auto``: a GPU when there is one), in bfloat16
        on a GPU.

        Raises:
            NotFound: the folder or its ``config.json`` is missing.
            InvalidInput: there is no such device.
            FailedPrecondition: it is not a vision-language model that this transformers can load.
        """
        if not (folder / "config.json").is_file():
            raise NotFound(f"no transformers model in {folder} (config.json is missing)")
        place = _device(device)
        dtype = torch.bfloat16 if place.type == "cuda" else torch.float32
        try:
            processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
            model = AutoModelForImageTextToText.from_pretrained(
                folder, local_files_only=True, dtype=dtype
            )
        except (ValueError, OSError, KeyError, ImportError) as error:
            raise FailedPrecondition(
                f"{folder} cannot be loaded as a vision-language model: {error}"
            ) from error
        if getattr(processor, "chat_template", None) is None:
            raise FailedPrecondition(f"the processor in {folder} has no chat template")
        return cls(model.to(place), processor, max_new_tokens=max_new_tokens)

    @property
    def device(self) -> str:
        """Where the model is, such as ``cuda:0``."""
        return str(self._model.device)

    def enhance(
        self, prompt: Prompt, media: MediaSet, cancelled: Callable[[], bool] = never
    ) -> Enhancement:
        """Enhance one prompt; output that does not parse falls back to the user's text.

        Raises:
            Cancelled: ``cancelled()``, asked after every token, was true.
        """
        return from_output(self.ask(SYSTEM, user_message(prompt, media), cancelled), prompt)

    @torch.inference_mode()
    def ask(
        self, system: str, shown: Iterator[Shown], cancelled: Callable[[], bool] = never
    ) -> str:
        """The answer to one message of texts and pictures; raises as :meth:`enhance`."""
        content: list[dict[str, Any]] = []
        for piece in shown:
            if piece.frame_HWC is None:
                content.append({"type": "text", "text": piece.text})
            else:
                picture = Image.fromarray(shrink(piece.frame_HWC, MAX_PICTURE_SIDE))
                content.append({"type": "image", "image": picture})
        messages = [
            {"role": "system", "content": [{"type": "text", "text": system}]},
            {"role": "user", "content": content},
        ]
        inputs = self._processor.apply_chat_template(
            messages,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._model.device, dtype=self._model.dtype)
        if cancelled():
            raise stopped()
        output = self._model.generate(
            **inputs,
            max_new_tokens=self._max_new_tokens,
            do_sample=False,
            stopping_criteria=StoppingCriteriaList([_Asked(cancelled)]),
        )
        if cancelled():
            raise stopped()
        asked = inputs["input_ids"]
        answer = output[0, asked.shape[1] :]
        raw: str = self._processor.batch_decode([answer], skip_special_tokens=True)[0]
        # A template that ends in the beginning of a thought: the answer then goes on within it.
        tail: str = self._processor.batch_decode([asked[0, -_TAIL_TOKENS:]])[0]
        return f"{_THINK}{raw}" if tail.rstrip().endswith(_THINK) else raw


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # the latter where torch has no CUDA
        raise InvalidInput(
            f"this machine has no device {name!r} ({str(error).splitlines()[0]}); use 'auto' or "
            "'cpu'",
            field="enhancer.device",
        ) from error
