"""Tokens that count no longer although they have not expired: kept on the bus, heard by every service, refused at once."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Protocol

from runtime import logs
from runtime.jetstream import Bus, BusUnavailable, Heard
from runtime.subjects import REVOCATIONS, decode_token, token_revoked, tokens_revoked

# How long a revocation is kept whose token's expiry nobody knows.
LONGEST_TOKEN_SECONDS = 366 * 86_400
# Kept for longer than the token lives, as clocks differ.
MARGIN_SECONDS = 120
# Live messages can be lost; what the broker keeps is read again after a reconnect, and this often in any case.
READ_AGAIN_SECONDS = 60.0
LOOK_SECONDS = 0.5

logger = logs.get_logger("runtime.revocation")


class RevokedTokens:
    """Ids of revoked tokens, each until its token would have expired. Pure; `now` gives seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._until: dict[str, float] = {}
        self._swept_at = now()

    def __contains__(self, token_id: object) -> bool:
        return token_id in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, token_id: str, *, expires_at: float) -> bool:
        """Take in a revocation and return whether it is news."""
        now = self._now()
        if now - self._swept_at > READ_AGAIN_SECONDS:
            self._swept_at = now
            self._until = {known: until for known, until in self._until.items() if until > now}
        is_news = token_id not in self._until
        self._until[token_id] = expires_at + MARGIN_SECONDS
        return is_news


class Refusing(Protocol):
    """What is told of revocations: the token verifier."""

    def drop(self, token_id: str) -> None:
        """Refuse a token that was good until now."""


async def revoke(bus: Bus, token_id: str, *, expires_at: float | None = None) -> None:
    """Have every service refuse a token from now on and close what it opened.

    `expires_at` (seconds since 1970) is the token's own expiry, where it is known. Raises BusUnavailable when the broker did not
    confirm, and ValueError for an empty id.
    """
    now = time.time()
    until = min(expires_at, now + LONGEST_TOKEN_SECONDS) if expires_at is not None else now + LONGEST_TOKEN_SECONDS
    seconds = max(int(until - now), 0) + MARGIN_SECONDS
    await bus.publish(
        token_revoked(token_id),
        json.dumps({"expiresAt": int(until)}).encode(),
        event_id=f"revoked:{token_revoked(token_id)}:{int(until)}",
        headers={"Nats-TTL": f"{seconds}s"},
    )
    logger.info("token revoked", token_id=token_id)


class Revocations:
    """Keeps the set of revoked tokens true, and tells the verifier what is new."""

    def __init__(self, bus: Bus, revoked: RevokedTokens, verifier: Refusing) -> None:
        self._bus, self._revoked, self._verifier = bus, revoked, verifier

    async def hear(self, heard: Heard) -> None:
        """Take in one revocation."""
        token_id = decode_token(heard.subject.rsplit(".", 1)[1])
        if self._revoked.add(token_id, expires_at=_expiry(heard.payload)):
            self._verifier.drop(token_id)

    async def read(self) -> None:
        """Take in all that the broker keeps. Raises BusUnavailable."""
        async with aclosing(self._bus.last_values(REVOCATIONS, tokens_revoked())) as kept:
            async for heard in kept:
                try:
                    await self.hear(heard)
                except ValueError:
                    logger.error("revocation dropped, its subject names no token", subject=heard.subject)

    async def run(self) -> None:
        """Read again whenever something may have been missed, for ever."""
        loop = asyncio.get_running_loop()
        reconnects, read_at = self._bus.reconnects, loop.time()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._bus.reconnects == reconnects and loop.time() - read_at < READ_AGAIN_SECONDS:
                continue
            now_reconnects = self._bus.reconnects
            try:
                await self.read()
            except BusUnavailable as error:
                logger.warning("revocations not read", error=error.message)
                continue
            reconnects, read_at = now_reconnects, loop.time()


def _expiry(payload: bytes) -> float:
    try:
        return float(json.loads(payload)["expiresAt"])
    except (ValueError, TypeError, KeyError):
        # Refused for longer than needed is better than not at all.
        return time.time() + LONGEST_TOKEN_SECONDS
