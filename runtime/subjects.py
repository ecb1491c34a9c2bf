"""Every stream and subject of the system, and how a symbol or an account is spelt in one.

A subject is a list of tokens between dots; a token may hold no dot, space, star or ">" (NATS ADR-6). Symbols and accounts may, so
they are encoded byte for byte, reversibly, and no client's text ever becomes a wildcard.
"""

import re
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

TICK_PARTITIONS = 8
ORDER_PARTITIONS = 8

TICKS = "TICKS"
QUOTES = "QUOTES"
INSTRUMENTS = "INSTRUMENTS"
ORDER_COMMANDS = "ORDER_COMMANDS"
ORDER_REPORTS = "ORDER_REPORTS"
ORDER_UPDATES = "ORDER_UPDATES"
TRADING_STATE = "TRADING_STATE"
DEAD_LETTERS = "DEAD_LETTERS"
REVOCATIONS = "REVOCATIONS"

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One JetStream stream: what it keeps, for how long, and what happens when it is full.

    Retention is always "limits": with work-queue or interest retention the server forgets the ids of acknowledged messages
    at a restart and takes them again (nats-server #3272).
    """

    name: str
    subjects: tuple[str, ...]
    max_age_seconds: float
    max_bytes: int
    storage: Literal["file", "memory"] = "file"
    # False: a crash of the machine may take the last moments, which the next messages say again; writes do not wait for the disk.
    durable: bool = True
    # "old" drops the oldest when full; "new" refuses the newest, so that an unread order is never dropped silently.
    discard: Literal["old", "new"] = "new"
    max_per_subject: int = -1
    duplicate_window_seconds: float = 2 * MINUTE
    # Core NATS subject prefix under which every stored message is published again, with its sequence in the headers.
    republish_prefix: str | None = None
    # Whether a message may bring its own time to live (header Nats-TTL).
    message_ttl: bool = False
    # Who brings the stream's settings up to date at its start: the service that writes it. All others only make what is missing.
    owner: str = ""
    note: str = field(default="", compare=False)


STREAMS: dict[str, Stream] = {
    stream.name: stream
    for stream in (
        Stream(TICKS, ("ticks.*",), 5 * MINUTE, 256 << 20, storage="memory", discard="old", owner="exchange_gw"),
        Stream(
            QUOTES,
            ("quotes.last.*",),
            7 * DAY,
            64 << 20,
            durable=False,
            discard="old",
            max_per_subject=1,
            owner="price_svc",
        ),
        Stream(
            INSTRUMENTS, ("instruments.*",), 30 * DAY, 64 << 20, discard="old", max_per_subject=1, owner="exchange_gw"
        ),
        Stream(
            ORDER_COMMANDS,
            ("orders.commands.*.*",),
            # What nobody took for so long is no order any more, and both refuse new messages when they are full.
            DAY,
            4 << 30,
            duplicate_window_seconds=15 * MINUTE,
            owner="order_svc",
        ),
        Stream(
            ORDER_REPORTS,
            ("orders.reports.*",),
            DAY,
            4 << 30,
            duplicate_window_seconds=15 * MINUTE,
            owner="exchange_gw",
        ),
        Stream(
            ORDER_UPDATES,
            ("orders.updates.*",),
            7 * DAY,
            4 << 30,
            discard="old",
            duplicate_window_seconds=15 * MINUTE,
            republish_prefix="live",
            owner="order_svc",
        ),
        Stream(
            TRADING_STATE,
            ("trading.state",),
            3650 * DAY,
            1 << 20,
            discard="old",
            max_per_subject=1,
            owner="exchange_gw",
        ),
        Stream(DEAD_LETTERS, ("dlq.*.*",), 90 * DAY, 1 << 30, owner="exchange_gw"),
        # Kept until the token would have expired; a year is the longest life of a token that can be revoked.
        Stream(
            REVOCATIONS,
            ("auth.revoked.*",),
            400 * DAY,
            256 << 20,
            max_per_subject=1,
            message_ttl=True,
            owner="exchange_gw",
        ),
    )
}


def partition_of(key: str, count: int) -> int:
    """Return the partition of a symbol or account: the same in every process and release (CRC-32, ISO 3309)."""
    return crc32(key.encode()) % count


_PLAIN = re.compile(r"[A-Za-z0-9-]")
_TOKEN = re.compile(r"(?:[A-Za-z0-9-]|_[0-9a-f]{2})+")


def encode_token(text: str) -> str:
    """Return the text as one subject token: letters, digits and "-" stay, any other byte is "_" and its two hex digits."""
    if not text:
        raise ValueError("a subject token cannot be empty")
    return "".join(
        char if _PLAIN.fullmatch(char) else "".join(f"_{byte:02x}" for byte in char.encode()) for char in text
    )


def decode_token(token: str) -> str:
    """Return the text that encode_token was given. Raises ValueError for a token that it never makes."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"not an encoded token: {token[:80]!r}")
    raw = re.sub(rb"_([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), token.encode())
    text = raw.decode()
    if encode_token(text) != token:
        raise ValueError(f"not how a token is encoded: {token[:80]!r}")
    return text


def ticks(partition: int) -> str:
    """Return where the gateway says what it heard about the symbols of a partition."""
    return f"ticks.{partition}"


def quote_last(symbol: str) -> str:
    """Return where the last quote of a symbol is kept."""
    return f"quotes.last.{encode_token(symbol)}"


def quotes_live(partition: int | None) -> str:
    """Return where quotes of a partition travel on core NATS; None for all partitions."""
    return f"quotes.live.{'*' if partition is None else partition}"


def price_replicas() -> str:
    """Return where replicas of the price service say on core NATS that they live."""
    return "replicas.price_svc"


def instruments(partition: int) -> str:
    """Return where the instruments of a partition are kept."""
    return f"instruments.{partition}"


def order_command(account_id: str) -> str:
    """Return where commands for an account's orders go; all of one account keep their order."""
    return f"orders.commands.{partition_of(account_id, ORDER_PARTITIONS)}.{encode_token(account_id)}"


def order_commands_of(partition: int) -> str:
    """Return where a gateway hears all commands of one partition."""
    return f"orders.commands.{partition}.*"


def order_report(order_id: str) -> str:
    """Return where facts about an order go."""
    return f"orders.reports.{partition_of(order_id, ORDER_PARTITIONS)}"


def order_update(account_id: str) -> str:
    """Return where changes of an account's orders go."""
    return f"orders.updates.{encode_token(account_id)}"


def trading_state() -> str:
    """Return where the gateway says what operators allow to be sent."""
    return "trading.state"


def live(subject: str) -> str:
    """Return where a stored message of a republished stream is heard on core NATS."""
    return f"live.{subject}"


def token_revoked(token_id: str) -> str:
    """Return where it is kept that a token counts no longer."""
    return f"auth.revoked.{encode_token(token_id)}"


def tokens_revoked() -> str:
    """Return where all revocations are heard."""
    return "auth.revoked.*"


def dead_letter(stream: str, reason: str) -> str:
    """Return where a message of a stream goes that cannot be handled."""
    return f"dlq.{stream}.{encode_token(reason)}"
