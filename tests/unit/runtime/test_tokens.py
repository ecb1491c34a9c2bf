"""runtime/auth.py with public keys: no token chooses how it is checked, and a revoked one is refused at once."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from runtime.auth import KeyUnknown, Principal, TokenExpired, TokenInvalid, TokenRevoked, TokenVerifier
from runtime.keys import keys_from
from runtime.revocation import MARGIN_SECONDS, READ_AGAIN_SECONDS, RevokedTokens
from tests.unit.runtime.signing import Signer, a_set

SECRET = "a secret that is only for tests, 32 bytes"
RSA, EC = Signer("rsa", "RS256"), Signer("ec", "ES256")


class Known:
    """Keys that never change."""

    def __init__(self, *signers: Signer) -> None:
        self._keys = keys_from(a_set(*signers))
        self.is_empty = False

    def get(self, key_id: str) -> jwt.PyJWK | None:
        return self._keys.get(key_id)

    async def look_again(self) -> None:
        pass


def verifier(*, secret: str = "", leeway: float = 0.0, revoked: Any = frozenset()) -> TokenVerifier:
    return TokenVerifier(
        secret=secret,
        issuer="stockmesh",
        audience="stockmesh",
        keys=Known(RSA, EC),
        leeway_seconds=leeway,
        revoked=revoked,
    )


def raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """Return a token that no library would make."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def claims() -> dict[str, Any]:
    return {"iss": "stockmesh", "aud": "stockmesh", "sub": "u", "exp": int(time.time()) + 60}


def by_public_key_as_secret() -> str:
    """Return the classic forgery: HS256 with the provider's public key, which everybody knows, as the secret."""
    public = RSA.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header, body = {"alg": "HS256", "typ": "JWT", "kid": "rsa"}, claims()
    signed = raw(header, body).rstrip(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), public)
    return raw(header, body, signature)


def test_tokens_of_both_key_pairs_are_good() -> None:
    assert {verifier().verify(signer.token()).subject for signer in (RSA, EC)} == {"u"}


@pytest.mark.parametrize("secret", ["", SECRET])
@pytest.mark.parametrize(
    "token",
    [
        by_public_key_as_secret(),
        raw({"alg": "none", "kid": "rsa"}, claims()),
        raw({"alg": "None"}, claims()),
        raw({"alg": ["HS256"], "kid": "rsa"}, claims()),
        raw({"kid": "rsa"}, claims()),
        EC.token(header={"kid": "rsa"}),
        Signer("ec", "ES256").token(),
        RSA.token(algorithm="RS512"),
        RSA.token(algorithm="PS256"),
        raw({"alg": "RS256"}, claims()),
        raw({"alg": "RS256", "kid": {"$ne": ""}}, claims()),
        jwt.encode(claims(), "x" * 32, algorithm="HS256"),
        "a.b.c",
        "é.é.é",
        "." * 10_000,
    ],
)
def test_no_token_chooses_how_it_is_checked(token: str, secret: str) -> None:
    with pytest.raises(TokenInvalid):
        verifier(secret=secret).verify(token)


def test_a_token_of_development_needs_the_secret_beside_the_keys() -> None:
    token = jwt.encode(claims(), SECRET, algorithm="HS256")

    assert verifier(secret=SECRET).verify(token).subject == "u"
    with pytest.raises(TokenInvalid):
        verifier().verify(token)


def test_a_key_that_nobody_knows_is_told_apart_so_that_it_can_be_looked_for() -> None:
    with pytest.raises(KeyUnknown):
        verifier().verify(Signer("new", "ES256").token())


def test_times_may_be_off_by_the_leeway_and_not_more() -> None:
    now = int(time.time())

    assert verifier(leeway=5).verify(EC.token(nbf=now + 3)).subject == "u"
    assert verifier(leeway=5).verify(EC.token(exp=now - 3)).expires_at == now - 3
    with pytest.raises(TokenInvalid, match="not valid yet"):
        verifier(leeway=5).verify(EC.token(nbf=now + 60))
    with pytest.raises(TokenExpired):
        verifier(leeway=5).verify(EC.token(exp=now - 60))


@pytest.mark.parametrize("changes", [{"exp": None}, {"sub": None}, {"jti": 7}, {"jti": "x" * 257}, {"sub": 7}])
def test_claims_of_the_wrong_kind_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((TokenInvalid, TypeError)):
        verifier().verify(EC.token(**changes))


def test_a_token_that_was_good_is_refused_from_the_moment_it_is_revoked() -> None:
    revoked, told = RevokedTokens(), list[str]()
    checking = verifier(revoked=revoked)
    checking.on_revoked(told.append)
    token, other = EC.token(), EC.token(jti="id-2")
    checking.verify(token), checking.verify(other)

    revoked.add("id-1", expires_at=time.time() + 60)
    checking.drop("id-1")

    with pytest.raises(TokenRevoked):
        checking.verify(token)
    assert checking.verify(other).token_id == "id-2"
    assert told == ["id-1"]


def test_a_revocation_outlives_its_token_and_then_goes() -> None:
    clock = [1000.0]
    revoked = RevokedTokens(lambda: clock[0])
    assert revoked.add("a", expires_at=1100.0)
    assert not revoked.add("a", expires_at=1100.0)

    clock[0] = 1100.0 + MARGIN_SECONDS + READ_AGAIN_SECONDS
    revoked.add("b", expires_at=clock[0] + 1)

    assert ("a" in revoked, "b" in revoked, len(revoked)) == (False, True, 1)


def test_a_checked_token_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    checking, token = verifier(), EC.token()
    first = checking.verify(token)
    monkeypatch.setattr(jwt, "decode", None)

    again: Principal = checking.verify(token)

    assert again is first
