"""Any OpenAI-compatible chat endpoint as an enhancer (standard library only).

One ``POST <url>/chat/completions`` per prompt, pictures as PNG data URLs. Trouble with the endpoint
is an error of the call (the caller decides whether to go on without enhancement); an answer that is
not a structured prompt falls back to the user's text.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from omnireel.enhancer.base import Enhancement, from_output, never
from omnireel.enhancer.http_call import HttpCall
from omnireel.enhancer.instructions import SYSTEM, Shown, shrink, user_message
from omnireel.enhancer.spec import EnhancerSpec
from omnireel.errors import FailedPrecondition, ResourceExhausted, Unavailable
from omnireel.mvl.prompt import Prompt
from omnireel.types import Frames, MediaSet

MAX_ANSWER_BYTES = 1 << 20
MAX_PICTURE_SIDE = 512
_TRANSIENT = (408, 409, 425, 500, 502, 503, 504)


class OpenAIEnhancer:
    """A chat model behind a URL."""

    def __init__(
        self, url: str, model: str, *, api_key: str, timeout_s: float, max_new_tokens: int
    ) -> None:
        self.device = url
        self._endpoint = f"{url.rstrip('/')}/chat/completions"
        self._model, self._api_key = model, api_key
        self._timeout_s, self._max_new_tokens = timeout_s, max_new_tokens

    @classmethod
    def from_spec(cls, spec: EnhancerSpec) -> OpenAIEnhancer:
        """Read the key from the environment variable that ``spec`` names, if it names one.

        Raises:
            FailedPrecondition: the variable is not set.
        """
        key = os.environ.get(spec.api_key_env, "") if spec.api_key_env else ""
        if spec.api_key_env and not key:
            raise FailedPrecondition(
                f"the environment variable {spec.api_key_env} is not set; put the enhancer's API "
                "key there"
            )
        return cls(
            spec.url,
            spec.model,
            api_key=key,
            timeout_s=spec.timeout_s,
            max_new_tokens=spec.max_new_tokens,
        )

    def enhance(
        self, prompt: Prompt, media: MediaSet, cancelled: Callable[[], bool] = never
    ) -> Enhancement:
        """Ask the endpoint; raises as :meth:`ask`."""
        return from_output(self.ask(SYSTEM, user_message(prompt, media), cancelled), prompt)

    def ask(
        self, system: str, shown: Iterator[Shown], cancelled: Callable[[], bool] = never
    ) -> str:
        """The answer to one message of texts and pictures.

        Raises:
            Unavailable: it cannot be reached, is too slow, or reports a passing fault (5xx).
            ResourceExhausted: it limits the rate (429).
            FailedPrecondition: it refuses the request for good (other 3xx and 4xx).
            Cancelled: ``cancelled()`` was true while it was awaited; the connection is closed.
        """
        body = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": [_part(piece) for piece in shown]},
            ],
            "max_tokens": self._max_new_tokens,
            "temperature": 0.0,
        }
        return _content(self._post(body, cancelled))

    def _post(self, body: dict[str, Any], cancelled: Callable[[], bool]) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        request = urllib.request.Request(
            self._endpoint, json.dumps(body).encode(), headers, method="POST"
        )
        call = HttpCall(request, timeout_s=self._timeout_s, max_bytes=MAX_ANSWER_BYTES)
        try:
            data = call.answer(cancelled)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except TimeoutError:
            raise Unavailable(
                f"the enhancer at {self._endpoint} did not answer in {self._timeout_s:g} s"
            ) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            cause = getattr(error, "reason", error)
            raise Unavailable(
                f"the enhancer at {self._endpoint} cannot be reached: {cause}"
            ) from None
        if len(data) > MAX_ANSWER_BYTES:
            raise Unavailable(f"the enhancer at {self._endpoint} sent more than 1 MiB")
        return data

    def _refusal(
        self, error: urllib.error.HTTPError
    ) -> Unavailable | ResourceExhausted | FailedPrecondition:
        said = f"the enhancer at {self._endpoint} answered {error.code} {error.reason}"
        if error.code in _TRANSIENT:
            return Unavailable(said)
        if error.code == 429:
            wait = error.headers.get("Retry-After", "")
            return ResourceExhausted(said, retry_after_s=float(wait) if wait.isdigit() else None)
        if error.code in (401, 403):
            return FailedPrecondition(f"{said}; check the variable that api_key_env names")
        return FailedPrecondition(f"{said}; check the URL and the model name {self._model!r}")


def _part(shown: Shown) -> dict[str, Any]:
    if shown.frame_HWC is None:
        return {"type": "text", "text": shown.text}
    return {"type": "image_url", "image_url": {"url": _data_url(shown.frame_HWC)}}


def _data_url(frame_HWC: Frames) -> str:
    buffer = io.BytesIO()
    Image.fromarray(shrink(frame_HWC, MAX_PICTURE_SIDE)).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _content(answer: bytes) -> str:
    """The text of the first choice; the raw answer when it has another shape."""
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return answer.decode("utf-8", "replace")
    if isinstance(content, list):  # some servers answer in parts
        return "".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
    return str(content or "")
