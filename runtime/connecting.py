"""One connection to NATS: who we are there, by which certificates, and an address that can be told without its password."""

import asyncio
import re
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client

from runtime import logs
from runtime.settings import BusLogin
from runtime.tls import TlsError

CONNECT_SECONDS = 30.0
PASSWORD = re.compile(r"(?<=://)[^@/\s]*@")

logger = logs.get_logger("runtime.jetstream")


class CannotConnect(Exception):
    """No broker took us in time; the text has no password in it."""


class _Client(Client):
    """nats-py's client, but for one flaw of 2.16: the answer to a flush that was given up meanwhile ends its read loop.

    The connection then stands and hears nothing until its own pings give it up, some 15 s later.
    """

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs.pop(0)
            self._pings_outstanding = 0
            return
        await super()._process_pong()


def told(text: str) -> str:
    """Return a text without the users and passwords of addresses in it."""
    return PASSWORD.sub("", text)


def inbox_of(name: str) -> str:
    """Return the prefix of the subjects on which a process gets answers, so that no other may hear them."""
    return f"_INBOX_{re.sub(r'[^A-Za-z0-9_-]', '-', name)}"


async def connect(
    url: str, *, name: str, login: BusLogin | None, came_back: Callable[[], None] = lambda: None
) -> Client:
    """Connect and stay connected for ever; `came_back` is called whenever the connection was lost and made again.

    Raises CannotConnect, and TlsError for certificate files that cannot be used."""

    async def say_error(error: Exception) -> None:
        # Must not raise: that would end the read loop behind the client's back.
        logger.warning("bus error", error=told(repr(error)))

    async def say_away() -> None:
        logger.warning("bus away")

    async def say_back() -> None:
        came_back()
        logger.info("bus back")

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            client = _Client()
            await client.connect(
                url,
                name=name,
                error_cb=say_error,
                disconnected_cb=say_away,
                reconnected_cb=say_back,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,  # type: ignore[arg-type]  # it sleeps for so long, and a fraction will do
                ping_interval=5,
                max_outstanding_pings=2,
                inbox_prefix=inbox_of(name),
                # While the connection is away publishing fails at once, instead of happening later behind our back.
                pending_size=0,
                **_proof(url, login),
            )
            return client
    except (TimeoutError, OSError, ValueError, nats.errors.Error) as error:
        raise CannotConnect(told(f"no broker answers at {url}: {error!r}")) from None


def _proof(url: str, login: BusLogin | None) -> dict[str, Any]:
    """Return what nats-py is told about who we are. A user and a password may also stand in the address itself."""
    found: dict[str, Any] = {}
    if login is None:
        return found
    if any(urlsplit(one).scheme == "tls" for one in url.split(",")):
        found["tls"] = login.tls.context()
    if login.user:
        found |= {"user": login.user, "password": login.password.get_secret_value()}
    if login.credentials:
        if find_spec("nkeys") is None:
            raise TlsError("NATS_CREDS: needs the Python package nkeys (pip install 'nats-py[nkeys]')")
        try:
            with open(login.credentials, "rb"):
                found["user_credentials"] = login.credentials
        except OSError as error:
            raise TlsError(f"NATS_CREDS: cannot read {login.credentials}: {error.strerror}") from None
    return found
