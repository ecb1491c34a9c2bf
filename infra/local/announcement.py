"""Where the running system listens, for people, for tests and for the command line of the same machine."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.settings import LOOPBACK, SERVICES, LocalSettings, reachable
from runtime.connecting import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where each door is. The gateway's are used when it runs; `rest` is absent when it does not.

    `replicas` and `metrics` name every process of each service; `nats` is the broker, without the password that it asks for.
    """

    websocket: str
    rest: str | None
    edge: str
    price_svc: str
    order_svc: str
    exchange_gw: str
    nats: str
    replicas: Mapping[str, Sequence[str]]
    metrics: Mapping[str, Sequence[str]]

    @property
    def page(self) -> str:
        """Where the web page is."""
        return self.websocket.removesuffix("/ws").replace("ws://", "http://", 1)

    def as_json(self, pid: int, secret_file: Path | None, nats_password_file: Path | None) -> dict[str, object]:
        """Return what `local.json` holds: the addresses, the supervisor's process, and where the secret of the tokens and the
        operator's password at the broker are."""
        files = {"jwt_secret_file": secret_file, "nats_password_file": nats_password_file}
        return {"pid": pid, **{name: str(path) if path else None for name, path in files.items()}, **asdict(self)}


def addresses(settings: LocalSettings, *, gateway: bool) -> Addresses:
    """Return the addresses that a program of this machine uses."""
    front = f"{reachable(settings.envoy_host)}:{settings.envoy_port}"
    edge = f"{reachable(settings.edge_host)}:{settings.edge_port}"
    return Addresses(
        websocket=f"ws://{front if gateway else edge}/ws",
        rest=f"http://{front}" if gateway else None,
        edge=f"ws://{edge}/ws",
        price_svc=f"{reachable(settings.price_svc_host)}:{settings.price_svc_port}",
        order_svc=f"{reachable(settings.order_svc_host)}:{settings.order_svc_port}",
        exchange_gw=f"{reachable(settings.exchange_gw_host)}:{settings.exchange_gw_port}",
        nats=told(settings.nats_address),
        replicas={service: settings.addresses_of(service) for service in SERVICES},
        metrics={
            service: [f"{LOOPBACK}:{port}" for port in settings.metrics_ports_of(service)] for service in SERVICES
        },
    )
