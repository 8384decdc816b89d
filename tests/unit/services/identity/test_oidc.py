from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import jwt
import pytest

from omnireel.errors import InvalidInput, PermissionDenied, Unauthenticated, Unavailable
from services.gateway.identity import Authenticator, Principal, Scope
from services.gateway.identity.key_store import KeyStore, NewKey
from services.gateway.identity.oidc import OidcConfig, OidcVerifier
from services.gateway.settings import GatewaySettings
from tests.support.issuer import Issuer, running_issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


def verifier(issuer: Issuer, **more: object) -> OidcVerifier:
    return OidcVerifier(OidcConfig(issuer.url, "omnireel", **more))  # type: ignore[arg-type]


def test_a_token_says_who_calls(issuer: Issuer) -> None:
    verify = verifier(issuer).verify
    expected = Principal("studio", "oidc:someone", frozenset({Scope.READ}))
    assert verify(issuer.token()) == expected
    assert verify(issuer.token(scope=["videos:write", "x"])).scopes == {Scope.WRITE}
    assert verify(issuer.token(scope=None)).scopes == frozenset()
    assert verify(issuer.token(aud=["other", "omnireel"])) == expected
    assert issuer.fetched == ["/.well-known/openid-configuration", "/keys"]  # cached


def test_claims_can_be_mapped(issuer: Issuer) -> None:
    mapped = verifier(
        issuer,
        tenant_claim="org.name",
        tenants={"Studio A": "studio-a"},
        scope_claim="realm.roles",
        scopes={"editors": "videos:write", "bosses": "admin"},
    )
    token = issuer.token(
        org={"name": "Studio A"}, realm={"roles": ["editors", "admin", "videos:read"]}
    )
    assert mapped.verify(token) == Principal("studio-a", "oidc:someone", frozenset({Scope.WRITE}))
    for org in ({"name": "Studio B"}, {"name": "studio-a"}, "Studio A", None):
        with pytest.raises(PermissionDenied, match=r"org\.name"):
            mapped.verify(issuer.token(org=org))


@pytest.mark.parametrize("tenant", [None, "", "../other", "UPPER", 7, ["studio"]])
def test_no_tenant_no_entry(issuer: Issuer, tenant: object) -> None:
    with pytest.raises(PermissionDenied):
        verifier(issuer).verify(issuer.token(tenant=tenant))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another service"},
        {"iss": "https://elsewhere.example.com"},
        {"exp": None},
        {"sub": None},
        {"aud": None},
        {"iss": None},
    ],
)
def test_what_is_not_valid(issuer: Issuer, claims: dict[str, object]) -> None:
    with pytest.raises(Unauthenticated):
        verifier(issuer).verify(issuer.token(**claims))


@pytest.mark.parametrize(("claim", "from_now_s"), [("exp", -60), ("nbf", 600), ("iat", 600)])
def test_times_that_are_over_or_to_come(issuer: Issuer, claim: str, from_now_s: int) -> None:
    claims = {claim: time.time() + from_now_s}  # now, not when the tests were collected
    with pytest.raises(Unauthenticated):
        verifier(issuer).verify(issuer.token(**claims))


def test_clocks_may_differ_a_little(issuer: Issuer) -> None:
    verify = verifier(issuer, leeway_s=30).verify
    now = time.time()
    assert verify(issuer.token(exp=now - 10)) and verify(issuer.token(nbf=now + 10))
    with pytest.raises(Unauthenticated, match="expired"):
        verify(issuer.token(exp=now - 40))


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_forged_tokens(issuer: Issuer) -> None:
    verify = verifier(issuer).verify
    good = issuer.token()
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    # No signature at all.
    none = encoded({"alg": "none", "kid": issuer.current})
    # The public key, which everybody has, taken for the secret of an HMAC.
    hmac_header = encoded({"alg": "HS256", "kid": issuer.current})
    mac = hmac.new(issuer.public_pem(), f"{hmac_header}.{payload}".encode(), hashlib.sha256)
    confused = base64.urlsafe_b64encode(mac.digest()).rstrip(b"=").decode()
    other = encoded({**claims, "tenant": "victim"})
    for token in (
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        f"{hmac_header}.{payload}.{confused}",
        f"{header}.{other}.{signature}",
        f"{header}.{payload}.{signature[:-8]}AAAAAAAA",
        "a.b.c",
        "",
        good[:-1] + "é",
        "x" * 100_000,
        issuer.token(kid="nobody"),
        issuer.token(kid=""),
    ):
        with pytest.raises(Unauthenticated):
            verify(token)
    assert verify(good)


def test_keys_rotate(issuer: Issuer) -> None:
    verify = verifier(issuer, refetch_s=0.0).verify
    old = issuer.token()
    verify(old)
    issuer.rotate()
    assert verify(issuer.token()) and verify(old)
    issuer.rotate(forget_old=True)
    assert verify(issuer.token())
    with pytest.raises(Unauthenticated):
        verify(old)


def test_unknown_keys_do_not_flood_the_issuer(issuer: Issuer) -> None:
    verify = verifier(issuer).verify
    verify(issuer.token())
    before = len(issuer.fetched)
    for n in range(20):
        with pytest.raises(Unauthenticated):
            verify(issuer.token(kid=f"made-up-{n}"))
    assert len(issuer.fetched) == before


def test_an_issuer_that_is_away_or_another(issuer: Issuer) -> None:
    issuer.down = True
    verify = verifier(issuer).verify
    with pytest.raises(Unavailable) as caught:
        verify(issuer.token())
    assert caught.value.reason == "ISSUER_AWAY" and caught.value.retry_after_s
    issuer.down, issuer.says_it_is = False, "https://elsewhere.example.com"
    with pytest.raises(Unavailable):
        verify(issuer.token())
    issuer.says_it_is = ""
    assert verify(issuer.token())


def test_keys_and_tokens_use_the_same_door(issuer: Issuer, keys: KeyStore) -> None:
    key = keys.create(NewKey("studio", "ci", frozenset({Scope.WRITE})))
    authenticator = Authenticator(keys, verifier(issuer))
    token = issuer.token()
    assert (
        authenticator.authenticate({"authorization": f"Bearer {token}"}).subject == "oidc:someone"
    )
    by_key = authenticator.authenticate({"authorization": f"Bearer {key.text}"})
    assert by_key.subject == f"key:{key.id}"
    with pytest.raises(Unauthenticated, match="API key"):
        Authenticator(keys).authenticate({"authorization": f"Bearer {token}"})


def test_settings(tmp_path: object) -> None:
    fields = {
        "database_url": "sqlite:///x",
        "store_url": "file:///x",
        "prompt_enhancer": "a:1",
        "generator": "a:1",
        "super_resolver": "a:1",
    }
    assert GatewaySettings(**fields).oidc is None
    issuer = {"oidc_issuer": "https://id.example.com", "oidc_audience": "omnireel"}
    oidc = GatewaySettings(**fields, **issuer).oidc
    assert oidc is not None and oidc.audience == "omnireel"
    for wrong in (
        {"oidc_issuer": "http://id.example.com"},
        {"oidc_audience": ""},
        {"oidc_algorithms": ["HS256"]},
        {"oidc_algorithms": ["none"]},
        {"oidc_algorithms": []},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            GatewaySettings(**fields, **{**issuer, **wrong})
    with pytest.raises(InvalidInput):
        OidcConfig("ftp://x", "omnireel")
