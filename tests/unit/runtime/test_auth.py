"""runtime/auth.py: only our own, whole and living tokens name somebody."""

import time
from typing import Any

import jwt
import pytest

from runtime.auth import (
    AccountForbidden,
    AccountRequired,
    Principal,
    ScopeMissing,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenVerifier,
    make_token,
)

SECRET = "a secret that is only for tests, 32 bytes"
VERIFIER = TokenVerifier(secret=SECRET, issuer="stockmesh", audience="stockmesh")


def forged(*, key: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {
        "iss": "stockmesh",
        "aud": "stockmesh",
        "sub": "u",
        "accounts": ["demo"],
        "scope": "read",
        "exp": time.time() + 86_400,
    }
    claims |= changes
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm)


def test_a_token_names_subject_accounts_scopes_and_expiry() -> None:
    principal = VERIFIER.verify(make_token(secret=SECRET, subject="u", accounts=["a", "b"], scopes=["read"]))

    assert (principal.subject, principal.accounts, principal.scopes) == ("u", ("a", "b"), frozenset({"read"}))
    assert principal.expires_at > time.time()


@pytest.mark.parametrize(
    ("token", "refusal"),
    [
        ("", TokenMissing),
        ("nonsense", TokenInvalid),
        (forged(exp=int(time.time()) - 1), TokenExpired),
        (forged(exp=None), TokenInvalid),
        (forged(sub=None), TokenInvalid),
        (forged(iss="elsewhere"), TokenInvalid),
        (forged(aud="elsewhere"), TokenInvalid),
        (forged(accounts="demo"), TokenInvalid),
        (forged(accounts=[""]), TokenInvalid),
        (forged(accounts=[1]), TokenInvalid),
        (forged(scope=["admin"]), TokenInvalid),
        (forged(key="another secret that has 32 bytes, too"), TokenInvalid),
        (forged(algorithm="HS512", key=SECRET * 2), TokenInvalid),
        (forged(key="", algorithm="none"), TokenInvalid),
    ],
)
def test_any_other_token_is_refused_and_not_repeated(token: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal) as error:
        VERIFIER.verify(token)

    assert not token or token not in str(error.value)


def test_a_short_secret_is_not_taken() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenVerifier(secret="short", issuer="stockmesh", audience="stockmesh")


def test_the_account_is_the_tokens_never_the_requests() -> None:
    one = Principal("u", ("demo",), frozenset({"read"}), 0, "")
    two = Principal("u", ("a", "b"), frozenset(), 0, "")

    assert (one.account(), one.account("demo"), two.account("b")) == ("demo", "demo", "b")
    with pytest.raises(AccountForbidden):
        one.account("eve")
    with pytest.raises(AccountRequired):
        two.account()
    with pytest.raises(ScopeMissing):
        one.require("trade")
