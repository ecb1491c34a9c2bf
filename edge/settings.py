"""The knobs of the edge; each is an environment variable EDGE_… (and the shared ones)."""

import ipaddress
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from edge.params import MAX_HZ
from runtime.settings import Settings, prefixed


class EdgeSettings(Settings):
    """Where the edge listens, whom it asks, and what one client may use."""

    model_config = prefixed("EDGE_")

    host: str = "127.0.0.1"
    port: int = Field(8081, ge=0, le=65_535)
    price_svc: str = "127.0.0.1:50051"
    order_svc: str = "127.0.0.1:50052"
    # The edge's own identity, for price reads that many clients share; empty where price reads are open.
    token: SecretStr = SecretStr("")
    # Web pages that may connect, "https://app.example" each, separated by commas; empty lets every page, which is for development.
    origins: Annotated[tuple[str, ...], NoDecode] = ()
    page: bool = True

    auth_seconds: float = Field(5.0, gt=0, le=60)
    heartbeat_seconds: float = Field(10.0, gt=0, le=60)
    max_frame_bytes: int = Field(65_536, ge=1024, le=1 << 20)
    max_batch: int = Field(100, ge=1, le=1000)
    # Requests of one socket that are under way at the same time; the next frame is read when one is answered.
    max_in_flight: int = Field(32, ge=1, le=1000)
    max_subscriptions: int = Field(200, ge=1, le=10_000)
    # Price updates a second for a subscription that names no pace.
    default_hz: float = Field(10.0, gt=0, le=MAX_HZ)
    # What a client that does not read may leave unread before it is let go; prices do not count.
    max_unread_frames: int = Field(2_000, ge=10)
    max_unread_bytes: int = Field(4 << 20, ge=1 << 16)

    # Limits of 0 are none.
    max_sockets: int = Field(20_000, ge=0, description="of this process")
    max_handshakes: int = Field(4_000, ge=0, description="connections that have not said yet what they want")
    max_address_sockets: int = Field(1_000, ge=0, description="of one address, in this process")
    max_account_sockets: int = Field(100, ge=0, description="of one account, in all replicas")
    max_account_subscriptions: int = Field(5_000, ge=0, description="symbols of one account, in this process")
    messages_per_second: float = Field(200.0, ge=0, description="requests of one account, in this process")
    orders_per_second: float = Field(50.0, ge=0, description="placed or replaced by one account, in all replicas")
    subscriptions_per_second: float = Field(1_000.0, ge=0, description="symbols of one account, in this process")
    max_requests: int = Field(2_000, ge=0, description="under way in this process, for services")
    # Whose word counts on where a client comes from: networks, separated by commas.
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ("127.0.0.0/8", "::1/128")

    @field_validator("origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value
