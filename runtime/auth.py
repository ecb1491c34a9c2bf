"""Who is asking: JSON Web Tokens (RFC 7519) made, checked, and the principal that a checked one names."""

import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import uuid4

import jwt

from runtime.errors import InvalidArgument, PermissionDenied, Unauthenticated

READ, TRADE, ADMIN = "read", "trade", "admin"
ALGORITHM = "HS256"
MIN_SECRET_BYTES = 32
# Checked tokens remembered at most; then all are checked once more.
KNOWN_TOKENS = 10_000


class TokenMissing(Unauthenticated):
    """No bearer token came with the request."""

    reason = "TOKEN_MISSING"


class TokenInvalid(Unauthenticated):
    """The token is not one of ours, or was changed."""

    reason = "TOKEN_INVALID"


class TokenExpired(Unauthenticated):
    """The token was good once."""

    reason = "TOKEN_EXPIRED"


class ScopeMissing(PermissionDenied):
    """The token does not allow this."""

    reason = "SCOPE_MISSING"


class AccountForbidden(PermissionDenied):
    """The token does not speak for that account."""

    reason = "ACCOUNT_FORBIDDEN"


class AccountRequired(InvalidArgument):
    """The token speaks for several accounts and the request names none."""

    reason = "ACCOUNT_REQUIRED"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, as a checked token says: a subject, its accounts, what it may do and until when (seconds since 1970)."""

    subject: str
    accounts: tuple[str, ...]
    scopes: frozenset[str]
    expires_at: int
    token_id: str

    def require(self, scope: str) -> None:
        """Raise ScopeMissing unless the token has the scope."""
        if scope not in self.scopes:
            raise ScopeMissing(f"this needs a token with the scope {scope!r}", required=scope)

    def account(self, named: str = "") -> str:
        """Return the account to act for: the token's only one, or the named one if it is the token's.

        Raises AccountForbidden for a foreign account and AccountRequired when several would do.
        """
        if named:
            if named not in self.accounts:
                raise AccountForbidden("the token does not speak for this account", account_id=named)
            return named
        if len(self.accounts) != 1:
            raise AccountRequired("name one of the token's accounts in account_id", field="account_id")
        return self.accounts[0]


class TokenVerifier:
    """Checks tokens: signature, issuer, audience, expiry."""

    def __init__(self, *, secret: str, issuer: str, audience: str) -> None:
        _check_secret(secret)
        self._secret, self._issuer, self._audience = secret, issuer, audience
        # Checked tokens: clients send the same one with every call, and a signature costs more than most calls.
        self._known: dict[str, Principal] = {}

    def verify(self, token: str) -> Principal:
        """Return whom the token names. Raises TokenMissing, TokenInvalid or TokenExpired; none of them repeats the token."""
        if not token:
            raise TokenMissing("send a token: 'authorization: Bearer …', or session.authenticate on a socket")
        known = self._known.get(token)
        if known is not None and time.time() < known.expires_at:
            return known
        principal = self._check(token)
        if len(self._known) >= KNOWN_TOKENS:
            self._known.clear()
        self._known[token] = principal
        return principal

    def _check(self, token: str) -> Principal:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenExpired("the token has expired, get a new one") from None
        except jwt.InvalidTokenError:
            raise TokenInvalid("the token is not valid here") from None
        return _principal(claims)


def _principal(claims: dict[str, object]) -> Principal:
    accounts, scope, expiry = claims.get("accounts", []), claims.get("scope", ""), claims.get("exp")
    if not (isinstance(accounts, list) and all(isinstance(account, str) and account for account in accounts)):
        raise TokenInvalid("the token's claim 'accounts' is not a list of names")
    if not isinstance(scope, str) or not isinstance(expiry, int):
        raise TokenInvalid("the token's claim 'scope' or 'exp' is of the wrong type")
    return Principal(
        subject=str(claims["sub"]),
        accounts=tuple(accounts),
        scopes=frozenset(scope.split()),
        expires_at=expiry,
        token_id=str(claims.get("jti", "")),
    )


def _check_secret(secret: str) -> None:
    # RFC 7518 §3.2: an HS256 key has at least as many bits as the hash.
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


_CURRENT: ContextVar[Principal | None] = ContextVar("principal", default=None)


def set_current_principal(principal: Principal | None) -> None:
    """Remember who asks in the request that is being served; only the door does this."""
    _CURRENT.set(principal)


def current_principal() -> Principal:
    """Return who asks in the request that is being served. Raises TokenMissing when nobody was named."""
    principal = _CURRENT.get()
    if principal is None:
        raise TokenMissing("send a token: 'authorization: Bearer …'")
    return principal
