"""JSON Web Tokens (RFC 7519): checked into the principal that they name, and made for development."""

import time
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Protocol
from uuid import uuid4

import jwt
from jwt import PyJWK

from runtime.principal import (
    ADMIN,
    READ,
    TRADE,
    AccountForbidden,
    AccountRequired,
    KeysUnavailable,
    KeyUnknown,
    Principal,
    ScopeMissing,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
    current_principal,
    set_current_principal,
)

__all__ = [
    "ADMIN",
    "READ",
    "TRADE",
    "AccountForbidden",
    "AccountRequired",
    "KeyUnknown",
    "KeysUnavailable",
    "Principal",
    "ScopeMissing",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "TokenRevoked",
    "TokenVerifier",
    "current_principal",
    "make_token",
    "set_current_principal",
]

# What development signs with; the identity provider signs with a key pair (runtime.keys).
ALGORITHM = "HS256"
# RFC 7518 §3.2: an HS256 key has at least as many bits as the hash.
MIN_SECRET_BYTES = 32
# An id must fit into a subject of the bus when it is revoked.
LONGEST_TOKEN_ID = 256
# Checked tokens remembered at most; then all are checked once more.
KNOWN_TOKENS = 10_000


class Keys(Protocol):
    """The public keys of the identity provider (runtime.keys)."""

    @property
    def is_empty(self) -> bool:
        """Tell whether no keys were read yet."""

    def get(self, key_id: str) -> PyJWK | None:
        """Return a key by its id."""

    async def look_again(self) -> None:
        """Read the keys once more, unless that was tried just now."""


class TokenVerifier:
    """Checks tokens: signature, issuer, audience, times, and that nobody has revoked them.

    A token signed with a public key is checked with the key that it names, by that key's own algorithm; one signed with the shared
    secret (HS256, for development) with the secret alone. `leeway_seconds` is how far the issuer's clock may be off.
    """

    def __init__(
        self,
        *,
        secret: str = "",
        issuer: str,
        audience: str,
        keys: Keys | None = None,
        revoked: Container[str] = frozenset(),
        leeway_seconds: float = 0.0,
    ) -> None:
        if secret or keys is None:
            _check_secret(secret)
        self._secret, self._issuer, self._audience = secret, issuer, audience
        self._keys, self._revoked, self._leeway = keys, revoked, leeway_seconds
        # Checked tokens: clients send the same one with every call, and a signature costs more than most calls.
        self._known: dict[str, Principal] = {}
        self._known_by_id: dict[str, list[str]] = {}
        self._told_of_revoked: list[Callable[[str], None]] = []

    def verify(self, token: str) -> Principal:
        """Return whom the token names.

        Raises TokenMissing, TokenInvalid, TokenExpired, TokenRevoked or KeysUnavailable; none of them repeats the token.
        KeyUnknown is a TokenInvalid that `identify` would have looked up.
        """
        if not token:
            raise TokenMissing("send a token: 'authorization: Bearer …', or session.authenticate on a socket")
        known = self._known.get(token)
        if known is not None and time.time() < known.expires_at + self._leeway:
            return known
        principal = self._check(token)
        if len(self._known) >= KNOWN_TOKENS:
            self.forget()
        self._known[token] = principal
        self._known_by_id.setdefault(principal.token_id, []).append(token)
        return principal

    async def identify(self, token: str) -> Principal:
        """Return whom the token names, as `verify` does; a key that is not known yet is looked for first."""
        try:
            return self.verify(token)
        except (KeyUnknown, KeysUnavailable):
            if self._keys is None:
                raise
            await self._keys.look_again()
            return self.verify(token)

    def forget(self) -> None:
        """Check every token anew from now on: the keys have changed."""
        self._known.clear()
        self._known_by_id.clear()

    def on_revoked(self, then: Callable[[str], None]) -> None:
        """Call this with the id of every token that is revoked from now on."""
        self._told_of_revoked.append(then)

    def drop(self, token_id: str) -> None:
        """Refuse a token that was good until now; `revoked` has its id already."""
        for token in self._known_by_id.pop(token_id, ()):
            self._known.pop(token, None)
        for then in self._told_of_revoked:
            then(token_id)

    def _check(self, token: str) -> Principal:
        try:
            claims = self._decode(token)
        except jwt.ExpiredSignatureError:
            raise TokenExpired("the token has expired, get a new one") from None
        except jwt.ImmatureSignatureError:
            raise TokenInvalid("the token is not valid yet") from None
        # Some malformed tokens come out of the library as errors of Python.
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise TokenInvalid("the token is not valid here") from None
        principal = _principal(claims)
        if principal.token_id and principal.token_id in self._revoked:
            raise TokenRevoked("the token was revoked, get a new one")
        return principal

    def _decode(self, token: str) -> dict[str, object]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") == ALGORITHM:
            if not self._secret:
                raise TokenInvalid("the token is not valid here")
            return self._claims(token, self._secret, ALGORITHM)
        key = self._key(header)
        return self._claims(token, key, key.algorithm_name)

    def _key(self, header: Mapping[str, object]) -> PyJWK:
        key_id = header.get("kid")
        if self._keys is None or not isinstance(key_id, str):
            raise TokenInvalid("the token is not valid here")
        key = self._keys.get(key_id)
        if key is None and self._keys.is_empty:
            raise KeysUnavailable(
                "the keys that tokens are checked with could not be read yet", retry_after_seconds=2.0
            )
        if key is None:
            raise KeyUnknown("the token is not valid here")
        return key

    def _claims(self, token: str, key: PyJWK | str, algorithm: str) -> dict[str, object]:
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"require": ["exp", "sub"]},
        )


def _principal(claims: Mapping[str, object]) -> Principal:
    accounts, scope, expiry = claims.get("accounts", []), claims.get("scope", ""), claims.get("exp")
    subject, token_id = claims.get("sub"), claims.get("jti", "")
    if not (isinstance(accounts, list) and all(isinstance(account, str) and account for account in accounts)):
        raise TokenInvalid("the token's claim 'accounts' is not a list of names")
    if not isinstance(scope, str) or not isinstance(expiry, int | float) or not isinstance(subject, str):
        raise TokenInvalid("the token's claim 'scope', 'exp' or 'sub' is of the wrong type")
    if not isinstance(token_id, str) or len(token_id) > LONGEST_TOKEN_ID:
        raise TokenInvalid(f"the token's claim 'jti' is not a text of at most {LONGEST_TOKEN_ID} characters")
    return Principal(
        subject=subject,
        accounts=tuple(accounts),
        scopes=frozenset(scope.split()),
        expires_at=int(expiry),
        token_id=token_id,
    )


def _check_secret(secret: str) -> None:
    if len(secret.encode()) < MIN_SECRET_BYTES:
        raise ValueError(f"JWT_SECRET must have at least {MIN_SECRET_BYTES} bytes")


def make_token(
    *,
    secret: str,
    subject: str,
    accounts: Iterable[str],
    scopes: Iterable[str] = (READ, TRADE),
    issuer: str = "stockmesh",
    audience: str = "stockmesh",
    lifetime_seconds: float = 86_400,
) -> str:
    """Return a signed token for development and for services; real users' tokens come from the identity provider."""
    _check_secret(secret)
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "accounts": list(accounts),
        "scope": " ".join(scopes),
        "iat": now,
        "exp": now + int(lifetime_seconds),
        "jti": uuid4().hex,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)
