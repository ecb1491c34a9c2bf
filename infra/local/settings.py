"""What can be changed about the system on one machine. Every knob is an environment variable; README and docs list them."""

from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.auth import MIN_SECRET_BYTES

LOOPBACK = "127.0.0.1"
SERVICES = ("edge", "price_svc", "order_svc", "exchange_gw")
ADDRESSES = r"^\s*[^\s,]+:[0-9]{1,5}\s*(,\s*[^\s,]+:[0-9]{1,5}\s*)*$"


# The second replica of a service listens so many ports above the first, the third twice as many.
REPLICA_STEP = 100
MOST_REPLICAS = 4
HIGHEST_PORT = 65_535


def _port(default: int, variable: str, *, least: int = 1) -> int:
    port: int = Field(default, ge=least, le=HIGHEST_PORT, validation_alias=variable)
    return port


class LocalSettings(BaseSettings):
    """Ports, addresses and what is replaced. A part whose address is given (NATS_URL and so on) is not started."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    state: Path = Field(Path(".stockmesh"), validation_alias="STOCKMESH_STATE")
    jwt_secret: SecretStr | None = Field(None, validation_alias="JWT_SECRET", min_length=MIN_SECRET_BYTES)

    # The public doors, and the operators' one.
    envoy_host: str = Field(LOOPBACK, validation_alias="ENVOY_HOST")
    envoy_port: int = _port(8080, "ENVOY_PORT")
    envoy_admin_port: int = _port(19901, "ENVOY_ADMIN_PORT")
    # Replicas behind the gateway, `host:port`, separated by commas. Absent: the services of this machine.
    envoy_edge: str | None = Field(None, validation_alias="ENVOY_EDGE", pattern=ADDRESSES)
    envoy_price_svc: str | None = Field(None, validation_alias="ENVOY_PRICE_SVC", pattern=ADDRESSES)
    envoy_order_svc: str | None = Field(None, validation_alias="ENVOY_ORDER_SVC", pattern=ADDRESSES)
    edge_host: str = Field(LOOPBACK, validation_alias="EDGE_HOST")
    edge_port: int = _port(8081, "EDGE_PORT")
    price_svc_host: str = Field(LOOPBACK, validation_alias="PRICE_SVC_HOST")
    price_svc_port: int = _port(50051, "PRICE_SVC_PORT")
    order_svc_host: str = Field(LOOPBACK, validation_alias="ORDER_SVC_HOST")
    order_svc_port: int = _port(50052, "ORDER_SVC_PORT")
    exchange_gw_host: str = Field(LOOPBACK, validation_alias="EXCHANGE_GW_HOST")
    exchange_gw_port: int = _port(50053, "EXCHANGE_GW_PORT")

    # How many of each service run; the servers below and the gateway are one each.
    replicas: int = Field(1, ge=1, le=MOST_REPLICAS, validation_alias="LOCAL_REPLICAS")
    # Where each service answers /metrics, on loopback; 0 means nowhere.
    edge_metrics_port: int = _port(19101, "EDGE_METRICS_PORT", least=0)
    price_svc_metrics_port: int = _port(19102, "PRICE_SVC_METRICS_PORT", least=0)
    order_svc_metrics_port: int = _port(19103, "ORDER_SVC_METRICS_PORT", least=0)
    exchange_gw_metrics_port: int = _port(19104, "EXCHANGE_GW_METRICS_PORT", least=0)

    # The servers below, on ports that do not collide with the standard ones.
    nats_port: int = _port(14222, "LOCAL_NATS_PORT")
    nats_monitor_port: int = _port(18222, "LOCAL_NATS_MONITOR_PORT")
    redis_port: int = _port(16379, "LOCAL_REDIS_PORT")
    orders_mongo_port: int = _port(37017, "LOCAL_ORDERS_MONGO_PORT")
    prices_mongo_port: int = _port(37018, "LOCAL_PRICES_MONGO_PORT")

    # Whether each service has a user of its own at the broker that is started here, with the subjects that it needs.
    nats_users: bool = Field(True, validation_alias="LOCAL_NATS_USERS")

    # Whether the simulator's past is loaded at the first start, so that charts are full.
    past: bool = Field(True, validation_alias="LOCAL_PAST")

    # Given: used as it is. Absent: started here.
    nats_url: str | None = Field(None, validation_alias="NATS_URL")
    redis_url: str | None = Field(None, validation_alias="REDIS_URL")
    order_svc_mongo_url: str | None = Field(None, validation_alias="ORDER_SVC_MONGO_URL")
    price_svc_mongo_url: str | None = Field(None, validation_alias="PRICE_SVC_MONGO_URL")
    exchange_gw_mongo_url: str | None = Field(None, validation_alias="EXCHANGE_GW_MONGO_URL")
    fix_host: str | None = Field(None, validation_alias="FIX_HOST")
    fix_port: int = _port(19878, "FIX_PORT")

    @model_validator(mode="after")
    def _has_room_for_replicas(self) -> "LocalSettings":
        highest = HIGHEST_PORT - (self.replicas - 1) * REPLICA_STEP
        for service in SERVICES:
            for setting in (f"{service}_port", f"{service}_metrics_port"):
                if getattr(self, setting) > highest:
                    raise ValueError(
                        f"{setting.upper()}: with LOCAL_REPLICAS={self.replicas} it can be {highest} at most"
                    )
        return self

    def ports_of(self, service: str) -> list[int]:
        """Return the ports of a service's replicas."""
        return self._stepped(getattr(self, f"{service}_port"))

    def metrics_ports_of(self, service: str) -> list[int]:
        """Return where a service's replicas answer /metrics; none when they do not."""
        first: int = getattr(self, f"{service}_metrics_port")
        return self._stepped(first) if first else []

    def addresses_of(self, service: str) -> list[str]:
        """Return where a service's replicas are reached from this machine, `host:port`."""
        host = reachable(getattr(self, f"{service}_host"))
        return [f"{host}:{port}" for port in self.ports_of(service)]

    def _stepped(self, first: int) -> list[int]:
        return [first + REPLICA_STEP * number for number in range(self.replicas)]

    @property
    def nats_address(self) -> str:
        """Where the broker is."""
        return self.nats_url or f"nats://{LOOPBACK}:{self.nats_port}"

    def nats_address_of(self, user: str, password: str) -> str:
        """Where the broker is for a user of it; without a password, and where the broker is given, for everybody."""
        return self.nats_address.replace("://", f"://{user}:{password}@", 1) if password else self.nats_address

    @property
    def redis_address(self) -> str:
        """Where Redis is."""
        return self.redis_url or f"redis://{LOOPBACK}:{self.redis_port}/0"


def reachable(host: str) -> str:
    """Return the address at which a part of this machine that listens on `host` is reached from it."""
    return LOOPBACK if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - compared, not listened on
