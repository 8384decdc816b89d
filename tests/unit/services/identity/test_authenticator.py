from __future__ import annotations

import pytest

from omnireel.errors import Unauthenticated
from services.gateway.identity import OWNER, Authenticator, Principal, Scope
from services.gateway.identity.api_key import ApiKey, new_key
from services.gateway.identity.key_store import KeyStore, NewKey
from tests.support.jobs import Clock

READER = NewKey("studio", "ci", frozenset({Scope.READ}))


def bearer(key: ApiKey) -> dict[str, str]:
    return {"authorization": f"Bearer {key.text}"}


def test_a_key_says_who_calls(keys: KeyStore) -> None:
    key = keys.create(READER)
    authenticator = Authenticator(keys)
    expected = Principal("studio", f"key:{key.id}", frozenset({Scope.READ}))
    assert authenticator.authenticate(bearer(key)) == expected
    assert authenticator.authenticate({"authorization": f"bearer  {key.text}"}) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"authorization": "Bearer something"},
        {"authorization": "Bearer omr_"},
        {"x-request-id": "7"},
    ],
)
def test_no_key_no_entry(keys: KeyStore, headers: dict[str, str]) -> None:
    keys.create(READER)
    with pytest.raises(Unauthenticated):
        Authenticator(keys).authenticate(headers)


def test_every_key_that_is_not_valid_gets_the_same_answer(keys: KeyStore, clock: Clock) -> None:
    wrong_secret = ApiKey(keys.create(READER).id, new_key().secret)
    revoked = keys.create(READER)
    keys.revoke(revoked.id)
    expired = keys.create(NewKey("studio", "ci", frozenset({Scope.READ}), clock.now + 1))
    clock.tick(1)
    answers = set()
    for key in (new_key(), wrong_secret, revoked, expired):
        with pytest.raises(Unauthenticated) as caught:
            Authenticator(keys).authenticate(bearer(key))
        answers.add(caught.value.message)
    assert len(answers) == 1


def test_off_means_the_owner() -> None:
    assert Authenticator(None).authenticate({}) == OWNER
