"""Any local vision-language model in ``transformers`` form as an enhancer.

The folder must hold what ``AutoModelForImageTextToText`` and ``AutoProcessor`` read (Qwen-VL,
SmolVLM, LLaVA, ...), chat template included. Nothing is ever downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from omnireel.enhancer.base import Enhancement, from_output
from omnireel.enhancer.instructions import SYSTEM, Shown, shrink, user_message
from omnireel.errors import FailedPrecondition, NotFound
from omnireel.mvl.prompt import Prompt
from omnireel.types import MediaSet

MAX_PICTURE_SIDE = 512


class TransformersEnhancer:
    """A vision-language model in this process; greedy, so deterministic."""

    def __init__(self, model: Any, processor: Any, *, max_new_tokens: int) -> None:
        self._model = model.eval()
        self._processor = processor
        self._max_new_tokens = max_new_tokens

    @classmethod
    def load(
        cls, folder: Path, *, max_new_tokens: int, device: str | None = None
    ) -> TransformersEnhancer:
        """Load from a local folder; on a GPU in bfloat16 when there is one.

        Raises:
            NotFound: the folder or its ``config.json`` is missing.
            FailedPrecondition: it is not a vision-language model that this transformers can load.
        """
        if not (folder / "config.json").is_file():
            raise NotFound(f"no transformers model in {folder} (config.json is missing)")
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
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
        return cls(model.to(device), processor, max_new_tokens=max_new_tokens)

    def enhance(self, prompt: Prompt, media: MediaSet) -> Enhancement:
        """Enhance one prompt; output that does not parse falls back to the user's text."""
        return from_output(self.ask(SYSTEM, user_message(prompt, media)), prompt)

    @torch.inference_mode()
    def ask(self, system: str, shown: Iterator[Shown]) -> str:
        """The answer to one message of texts and pictures."""
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
        output = self._model.generate(
            **inputs, max_new_tokens=self._max_new_tokens, do_sample=False
        )
        answer = output[0, inputs["input_ids"].shape[1] :]
        raw: str = self._processor.batch_decode([answer], skip_special_tokens=True)[0]
        return raw
