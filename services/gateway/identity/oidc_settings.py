"""Settings of bearer tokens: ``OMNIREEL_GATEWAY_OIDC_<FIELD>``."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from omnireel.errors import InvalidInput
from services.gateway.identity.oidc import OidcConfig


class OidcSettings(BaseSettings):
    """Fields of the gateway's settings; without an issuer only API keys are taken."""

    oidc_issuer: str = Field(
        "", description="Address of an OpenID Connect issuer; empty: only API keys are accepted."
    )
    oidc_audience: str = Field("", description="The audience that tokens must be for.")
    oidc_algorithms: list[str] = Field(
        default_factory=lambda: ["RS256", "ES256"], description="Accepted signature algorithms."
    )
    oidc_tenant_claim: str = Field(
        "tenant", description="Claim with the tenant; a.b for b inside of a."
    )
    oidc_tenants: dict[str, str] = Field(
        default_factory=dict,
        description='Which tenant a value of that claim means, such as {"Studio A": "studio-a"}; '
        "empty: the value itself.",
    )
    oidc_scope_claim: str = Field(
        "scope", description="Claim with the scopes: words in a text, or a list."
    )
    oidc_scopes: dict[str, str] = Field(
        default_factory=dict,
        description='Which scope a value of that claim means, such as {"editors": "videos:write"};'
        " empty: the value itself.",
    )
    oidc_leeway_s: float = Field(
        30.0, ge=0, le=300, description="Seconds that the issuer's clock may differ from ours."
    )

    @property
    def oidc(self) -> OidcConfig | None:
        """What tokens must be like; None: none are taken."""
        if not self.oidc_issuer:
            return None
        return OidcConfig(
            issuer=self.oidc_issuer,
            audience=self.oidc_audience,
            algorithms=tuple(self.oidc_algorithms),
            tenant_claim=self.oidc_tenant_claim,
            scope_claim=self.oidc_scope_claim,
            tenants=self.oidc_tenants,
            scopes=self.oidc_scopes,
            leeway_s=self.oidc_leeway_s,
        )

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> OidcSettings:
        try:
            _ = self.oidc
        except InvalidInput as error:
            (violation,) = error.violations
            raise ValueError(f"{violation.field}: {violation.description}") from error
        return self
