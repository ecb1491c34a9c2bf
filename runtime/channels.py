"""gRPC channels: one builder for the long-lived connections to other services."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from runtime.credentials import channel_credentials
from runtime.tls import Tls

# grpc/doc/keepalive.md: both sides must agree, or the server answers pings with GOAWAY too_many_pings.
CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 16 << 20),
    # A peer that was restarted is found again quickly.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),
)
# Where a name has several addresses each takes its share. With one address a call would fail at once while that is called again,
# where by gRPC's default the call waits.
SPREAD = ("grpc.lb_policy_name", "round_robin")
ONE_ADDRESS = re.compile(r"[\d.]+:\d+|\[[^]]+\]:\d+")


@asynccontextmanager
async def open_channel(target: str, *, tls: Tls | None = None) -> AsyncIterator[grpc.aio.Channel]:
    """Open the one long-lived channel to a peer (aio leaks with many, grpc #38499). Connects in the background.

    Certificate files are read now; who replaces them starts the process anew. Raises TlsError.
    """
    options = CHANNEL_OPTIONS if ONE_ADDRESS.fullmatch(target) else (*CHANNEL_OPTIONS, SPREAD)
    if tls is None:
        channel = grpc.aio.insecure_channel(target, options=options)
    else:
        channel = grpc.aio.secure_channel(target, channel_credentials(tls), options=options)
    try:
        yield channel
    finally:
        await channel.close()
