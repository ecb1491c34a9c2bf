"""Who is let in, wired from the settings: the keys of tokens kept fresh, revocations heard, partners read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime.auth import TokenVerifier
from runtime.jetstream import Bus
from runtime.keys import KeySet
from runtime.process import Tasks
from runtime.revocation import Revocations, RevokedTokens
from runtime.settings import Settings
from runtime.subjects import tokens_revoked


@asynccontextmanager
async def open_verifier(settings: Settings, *, bus: Bus, tasks: Tasks) -> AsyncIterator[TokenVerifier]:
    """Check tokens inside the block. Without JWT_JWKS tokens are those of development, signed with JWT_SECRET.

    When the provider of the keys is away it begins without any and asks again; tokens are then refused as KEYS_UNAVAILABLE. Raises
    ValueError when there is neither a secret nor a place of keys, and BusUnavailable.
    """
    keys = None
    if settings.jwt_jwks:
        keys = KeySet(settings.jwt_jwks, refresh_seconds=settings.jwt_jwks_refresh_seconds, ca=settings.tls_ca)
    revoked = RevokedTokens()
    verifier = TokenVerifier(
        secret=settings.jwt_secret.get_secret_value(),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        keys=keys,
        revoked=revoked,
        leeway_seconds=settings.jwt_leeway_seconds,
    )
    if keys is not None:
        keys.on_change(verifier.forget)
        await keys.look_again()
        tasks.spawn(keys.run(), name="token keys")
    revocations = Revocations(bus, revoked, verifier)
    async with bus.listen(tokens_revoked(), revocations.hear):
        await revocations.read()
        tasks.spawn(revocations.run(), name="revocations")
        yield verifier
