"""What the message broker tells operators: who holds which lease, how far readers are behind; and a token revoked.

Imported when an operator's command runs.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import ConsumerInfo

from runtime.connecting import inbox_of, told
from runtime.leases import BUCKET
from runtime.settings import Settings
from runtime.subjects import DEAD_LETTERS, ORDER_COMMANDS, ORDER_REPORTS, TICKS
from stockmesh.cli import local
from stockmesh.errors import CannotConnect

DEFAULT_URL = "nats://127.0.0.1:14222"
OPERATOR = "operator"
# Those whose readers must keep up, and the one that should be empty.
WATCHED = (TICKS, ORDER_COMMANDS, ORDER_REPORTS, DEAD_LETTERS)
SECONDS = 3.0
# Between the two looks that tell whether a reader catches up.
TREND_SECONDS = 1.0
# A reader that follows an owner has a name of its own, with this behind it; the newest counts, others are left behind.
OWN_NAME = re.compile(r"-[0-9a-f]{8}$")


@dataclass(frozen=True, slots=True)
class Held:
    """A lease: its name, who holds it, and when its holder renewed it last."""

    lease: str
    holder: str
    renewed: datetime | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a stream's readers are behind: messages not yet given out, given out and not yet done, tried again; and the trend."""

    stream: str
    stored: int
    waiting: int
    unacked: int
    redelivered: int
    per_second: float = 0.0


@asynccontextmanager
async def connected(url: str | None) -> AsyncIterator[Client]:
    """Give a connection for the block. Raises CannotConnect."""
    settings, found = Settings(), local.find_local()
    address = url or found.addresses.get("nats", DEFAULT_URL)
    options: dict[str, object] = {}
    if any(urlsplit(one).scheme == "tls" for one in address.split(",")):
        options["tls"] = settings.tls.context()
    if settings.nats_creds:
        options["user_credentials"] = settings.nats_creds
    elif settings.nats_user:
        options |= {"user": settings.nats_user, "password": settings.nats_password.get_secret_value()}
    elif url is None and found.nats_password_file is not None:
        options |= {"user": OPERATOR, "password": found.nats_password_file.read_text(encoding="ascii").strip()}

    async def ignore(_: Exception) -> None:
        """What matters is raised."""

    try:
        async with asyncio.timeout(SECONDS):
            client = await nats.connect(
                address,
                name="stockmesh ops",
                allow_reconnect=False,
                error_cb=ignore,
                inbox_prefix=inbox_of("ops"),
                **options,
            )
    except (TimeoutError, OSError, ValueError, nats.errors.Error) as error:
        raise CannotConnect(told(f"no broker answers at {address}: {str(error) or 'no answer in time'}")) from None
    try:
        yield client
    finally:
        await client.close()


async def leases(client: Client) -> list[Held]:
    """Return all leases that somebody holds now, by name. Raises CannotConnect."""
    stream, prefix = f"KV_{BUCKET}", f"$KV.{BUCKET}."
    jetstream = client.jetstream(timeout=SECONDS)
    try:
        state = (await jetstream.stream_info(stream, subjects_filter=f"{prefix}>")).state
        names = sorted(subject.removeprefix(prefix) for subject in state.subjects or {})
        found = []
        for name in names:
            try:
                message = await jetstream.get_last_msg(stream, f"{prefix}{name}")
            except nats.js.errors.NotFoundError:
                continue  # given back since
            if not (message.headers or {}).get("KV-Operation"):
                found.append(Held(name, (message.data or b"").decode("utf-8", "replace"), message.time))
    except nats.js.errors.NotFoundError:
        return []  # nobody ever took one
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise CannotConnect(f"the broker does not tell its leases: {error!r}") from None
    return found


async def lag(client: Client) -> list[Lag]:
    """Return how far each stream's readers are behind, and by how much that grows each second. Raises CannotConnect."""
    before, began = await _lag(client), time.monotonic()
    await asyncio.sleep(TREND_SECONDS)
    after = await _lag(client)
    seconds = time.monotonic() - began
    return [
        replace(one, per_second=round((one.waiting - before[name].waiting) / seconds, 1) if name in before else 0.0)
        for name, one in after.items()
    ]


async def _lag(client: Client) -> dict[str, Lag]:
    jetstream = client.jetstream(timeout=SECONDS)
    found = {}
    try:
        for name in WATCHED:
            with suppress(nats.js.errors.NotFoundError):
                state = (await jetstream.stream_info(name)).state
                # Readers of dead letters are people who look.
                is_read = state.consumer_count and name != DEAD_LETTERS
                readers = _living(await jetstream.consumers_info(name)) if is_read else []
                found[name] = Lag(
                    name,
                    state.messages,
                    waiting=sum(reader.num_pending or 0 for reader in readers),
                    unacked=sum(reader.num_ack_pending or 0 for reader in readers),
                    redelivered=sum(reader.num_redelivered or 0 for reader in readers),
                )
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        raise CannotConnect(f"the broker does not tell its streams: {error!r}") from None
    return found


def _living(readers: Iterable[ConsumerInfo]) -> Sequence[ConsumerInfo]:
    by_role: dict[str, list[ConsumerInfo]] = defaultdict(list)
    for reader in readers:
        by_role[OWN_NAME.sub("", reader.name or "")].append(reader)
    return [max(same, key=lambda reader: reader.created) for same in by_role.values()]
