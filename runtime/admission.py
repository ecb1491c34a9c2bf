"""Who is calling a gRPC method, and may they: by a bearer token, or by the certificate of the connection. Denied by default."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import grpc

from runtime.auth import TokenVerifier
from runtime.errors import PermissionDenied
from runtime.partners import Partners
from runtime.principal import Principal, TokenMissing, set_current_principal

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class MethodClosed(PermissionDenied):
    """Nobody may call this method: its service has not said who may."""

    reason = "METHOD_CLOSED"


class Admission:
    """The rule of one server. `access` has the scope that each method needs (its full name), or None for everybody."""

    def __init__(self, access: Mapping[str, str | None], verifier: TokenVerifier, partners: Partners | None) -> None:
        self._access, self._verifier, self._partners = access, verifier, partners

    async def admit(self, method: str, context: Context) -> Principal | None:
        """Return who calls, after noting them as the current principal; None where nobody need say.

        Raises MethodClosed, ScopeMissing, and what a token is refused for. A token counts before a certificate: who comes through
        another service comes with their own token over that service's connection.
        """
        try:
            scope = self._access[method]
        except KeyError:
            raise MethodClosed("nobody may call this method") from None
        token = _bearer(context)
        principal: Principal | None = None
        if token:
            principal = await self._verifier.identify(token)
        elif self._partners is not None:
            principal = self._partner(self._partners, context)
        if scope is not None:
            if principal is None:
                raise TokenMissing("send a token: 'authorization: Bearer …'")
            principal.require(scope)
        set_current_principal(principal)
        return principal

    @staticmethod
    def _partner(partners: Partners, context: Context) -> Principal | None:
        # The stubs say text; it is what the connection's certificate was in bytes.
        shown: Any = context.auth_context().get("x509_pem_cert")
        return partners.principal(shown[0]) if shown else None


def metadata_value(context: Context, key: str) -> str:
    """Return the text of one metadata entry of the call; empty when it is not there."""
    for name, value in context.invocation_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else value.decode("ascii", "replace")
    return ""


def _bearer(context: Context) -> str:
    scheme, _, token = metadata_value(context, "authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
