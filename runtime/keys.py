"""The public keys that tokens are signed with: a JSON Web Key Set (RFC 7517) from a file or an address, kept fresh."""

import asyncio
import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from jwt import PyJWK

from runtime import logs

# What may sign a token. A key signs by one of them, so that no token chooses how it is checked.
ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
MIN_RSA_BITS = 2048
MOST_KEYS = 100
LONGEST_SET_BYTES = 256 * 1024
LONGEST_KEY_ID = 256
READ_SECONDS = 4.0
CHUNK_BYTES = 16 * 1024
# A key that nobody knows lets us look again, but not for everybody who makes one up.
PAUSE_SECONDS = 10.0
# As long as there are no keys at all.
FIRST_KEYS_SECONDS = 2.0

logger = logs.get_logger("runtime.keys")


class BadKeys(Exception):
    """What was read is no usable set of keys."""


def keys_from(content: bytes) -> dict[str, PyJWK]:
    """Return the signing keys of a set by their ids; keys of other kinds are left out. Raises BadKeys when none is left."""
    try:
        listed = json.loads(content)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise BadKeys("not a JSON Web Key Set") from None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise BadKeys(f"not a list of at most {MOST_KEYS} keys")
    found = {key_id: key for key_id, key in map(_key_from, listed) if key is not None}
    if not found:
        raise BadKeys("no key in it can check a token")
    return found


def _key_from(entry: object) -> tuple[str, PyJWK | None]:
    """Return a key and its id; None when it cannot check tokens: a secret one, a weak one, one for something else."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") == "oct" or "d" in entry:
        return "", None
    key_id = entry.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID:
        return "", None
    try:
        key = PyJWK(entry)
    except jwt.PyJWTError:
        return "", None
    is_weak = getattr(key.key, "key_size", MIN_RSA_BITS) < MIN_RSA_BITS and key.algorithm_name == "RS256"
    return key_id, None if is_weak or key.algorithm_name not in ALGORITHMS else key


class KeySet:
    """Keys by id, read from a path or an address; those read last are kept for as long as nothing newer can be read."""

    def __init__(
        self, place: str, *, refresh_seconds: float, pause_seconds: float = PAUSE_SECONDS, ca: str = ""
    ) -> None:
        self._place, self._refresh_seconds, self._pause_seconds, self._ca = place, refresh_seconds, pause_seconds, ca
        self._keys: Mapping[str, PyJWK] = {}
        self._looked_at = -pause_seconds
        self._looking = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._changed: list[Callable[[], None]] = []

    def on_change(self, then: Callable[[], None]) -> None:
        """Call this whenever other keys count than before."""
        self._changed.append(then)

    @property
    def is_empty(self) -> bool:
        """Tell whether no keys were read yet."""
        return not self._keys

    def get(self, key_id: str) -> PyJWK | None:
        """Return a key; None when it is unknown, and then the set is soon read again."""
        key = self._keys.get(key_id)
        if key is None:
            self._wanted.set()
        return key

    async def look_again(self) -> None:
        """Read the set once more, unless that was tried just now; who asks meanwhile shares the answer."""
        async with self._looking:
            now = time.monotonic()
            if now - self._looked_at < self._pause_seconds:
                return
            self._looked_at = now
            await self._look()

    async def run(self) -> None:
        """Keep the keys fresh, for ever."""
        while True:
            try:
                async with asyncio.timeout(FIRST_KEYS_SECONDS if self.is_empty else self._refresh_seconds):
                    await self._wanted.wait()
            except TimeoutError:
                self._looked_at = -self._pause_seconds
            self._wanted.clear()
            await self.look_again()

    async def _look(self) -> None:
        try:
            keys = keys_from(await asyncio.to_thread(_read, self._place, self._ca))
        except (BadKeys, OSError, http.client.HTTPException) as error:
            logger.warning(
                "keys not read, the last ones count", place=self._place, kept=len(self._keys), error=str(error)
            )
            return
        if _signature(keys) != _signature(self._keys):
            logger.info("keys read", place=self._place, ids=sorted(keys))
            self._keys = keys
            for then in self._changed:
                then()


def _signature(keys: Mapping[str, PyJWK]) -> dict[str, str]:
    return {key_id: json.dumps(key._jwk_data, sort_keys=True) for key_id, key in keys.items()}


def _read(place: str, ca: str) -> bytes:
    """Return what is there, not more than a set may be long, within READ_SECONDS. Raises OSError, BadKeys, HTTPException."""
    if "://" not in place:
        with Path(place).open("rb") as file:
            return _bounded(file.read(LONGEST_SET_BYTES + 1))
    deadline = time.monotonic() + READ_SECONDS
    address = urlsplit(place)
    connection = _connection(address.scheme, address.netloc, ca)
    try:
        # No redirect is followed: it could lead anywhere, also out of TLS.
        target = f"{address.path or '/'}{'?' + address.query if address.query else ''}"
        connection.request("GET", target, headers={"accept": "application/json"})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise BadKeys(f"answered {response.status}")
        content = b""
        while chunk := response.read1(CHUNK_BYTES):
            content = _bounded(content + chunk)
            if time.monotonic() > deadline:
                raise BadKeys(f"not read within {READ_SECONDS:g} s")
        return content
    finally:
        connection.close()


def _connection(scheme: str, netloc: str, ca: str) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(netloc, timeout=READ_SECONDS)
    # The provider may be a public one or our own: both kinds of authority count.
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(ca)
    return http.client.HTTPSConnection(netloc, timeout=READ_SECONDS, context=context)


def _bounded(content: bytes) -> bytes:
    if len(content) > LONGEST_SET_BYTES:
        raise BadKeys(f"longer than {LONGEST_SET_BYTES} bytes")
    return content
