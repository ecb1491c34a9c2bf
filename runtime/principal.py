"""Who is asking: the principal that a token or a certificate names, what it may do, and the refusals on the way there."""

from contextvars import ContextVar
from dataclasses import dataclass

from runtime.errors import InvalidArgument, PermissionDenied, Unauthenticated, Unavailable

READ, TRADE, ADMIN = "read", "trade", "admin"


class TokenMissing(Unauthenticated):
    """No bearer token came with the request."""

    reason = "TOKEN_MISSING"


class TokenInvalid(Unauthenticated):
    """The token is not one of ours, or was changed."""

    reason = "TOKEN_INVALID"


class TokenExpired(Unauthenticated):
    """The token was good once."""

    reason = "TOKEN_EXPIRED"


class TokenRevoked(Unauthenticated):
    """Somebody has revoked the token: its user logged out, or it was stolen."""

    reason = "TOKEN_REVOKED"


class KeyUnknown(TokenInvalid):
    """The token names a key that is not known; after a change of keys it may be in a moment."""


class KeysUnavailable(Unavailable):
    """No keys could be read yet, so nobody can be recognised."""

    reason = "KEYS_UNAVAILABLE"


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
