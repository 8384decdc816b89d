"""Settings of the prompt enhancer: environment variables ``OMNIREEL_PROMPT_ENHANCER_*``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from omnireel.enhancer import EnhancerSpec
from services.common.model_settings import ModelServiceSettings


class PromptEnhancerSettings(ModelServiceSettings):
    """For example ``OMNIREEL_PROMPT_ENHANCER_BACKEND=openai``."""

    model_config = SettingsConfigDict(
        env_prefix="OMNIREEL_PROMPT_ENHANCER_",
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
    )

    listen: str = Field("127.0.0.1:50061", description="Address to serve gRPC on, host:port.")
    backend: Literal["tiny", "transformers", "openai", "off"] = Field(
        "tiny", description="tiny: the model in `weights`; see also `path`, `url`."
    )
    path: str = Field("", description="Folder of a transformers vision-language model.")
    url: str = Field("", description="OpenAI-compatible endpoint, before /chat/completions.")
    model: str = Field("", description="Model name at that endpoint.")
    api_key_env: str = Field("", description="Name of the variable that holds the key.")
    timeout_s: float = Field(60.0, gt=0, description="Longest wait for one remote answer.")
    max_new_tokens: int = Field(768, gt=0, description="Longest answer.")
    device: str = Field(
        "auto",
        description="Of a transformers model: cpu, cuda, cuda:1, ...; auto: a GPU when there is "
        "one, which it then shares with whatever else runs there.",
    )

    def spec(self) -> EnhancerSpec:
        """The back-end that these settings describe."""
        return EnhancerSpec(
            kind=self.backend,
            path=str(self.weights / "enhancer") if self.backend == "tiny" else self.path,
            url=self.url,
            model=self.model,
            api_key_env=self.api_key_env,
            timeout_s=self.timeout_s,
            max_new_tokens=self.max_new_tokens,
            device=self.device,
        )
