"""Where the running system listens, for people, for tests and for the command line of the same machine."""

from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.settings import LocalSettings, reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where each door is. The gateway's are used when it runs; `rest` is absent when it does not."""

    websocket: str
    rest: str | None
    edge: str
    price_svc: str
    order_svc: str
    exchange_gw: str

    def as_json(self, pid: int, secret_file: Path | None) -> dict[str, object]:
        """Return what `local.json` holds: the addresses, the supervisor's process, and where the secret of the tokens is."""
        return {"pid": pid, "jwt_secret_file": str(secret_file) if secret_file else None, **asdict(self)}


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
    )
