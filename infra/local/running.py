"""The whole system inside a program: for tests and benchmarks, on free ports, with the folder that they give."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from infra.local import ports, ready, system
from infra.local.announcement import Addresses, addresses
from infra.local.part import Part
from infra.local.settings import LocalSettings, reachable
from infra.local.state import State
from infra.local.supervisor import Supervisor
from runtime.auth import READ, TRADE, make_token

PORTS = (
    *("envoy_port", "envoy_admin_port", "edge_port", "price_svc_port", "order_svc_port", "exchange_gw_port"),
    *("nats_port", "nats_monitor_port", "redis_port", "orders_mongo_port", "prices_mongo_port", "fix_port"),
)
PRICES_SECONDS = 30.0
REPLACEABLE = (
    "nats_url",
    "redis_url",
    "order_svc_mongo_url",
    "price_svc_mongo_url",
    "exchange_gw_mongo_url",
    "fix_host",
)


class Silent:
    """Tells nobody; the logs of the parts tell enough."""

    def starting(self, part: Part) -> None:
        """Nothing."""

    def ready(self, part: Part, seconds: float) -> None:
        """Nothing."""

    def failed(self, part: Part, problem: str, lines: list[str], pause: float) -> None:
        """Nothing."""

    def stopped(self, part: Part, status: str) -> None:
        """Nothing."""


class System:
    """A running system: where its doors are, tokens for it, and its parts by name (see infra/local/system.py)."""

    def __init__(self, where: Addresses, state: State, secret: str, supervisor: Supervisor) -> None:
        self.where, self._state, self.secret, self._supervisor = where, state, secret, supervisor

    def token(self, account: str, *, scopes: tuple[str, ...] = (READ, TRADE)) -> str:
        """Return a token for one account."""
        return make_token(secret=self.secret, subject=account, accounts=(account,), scopes=scopes)

    def pid(self, part: str) -> int:
        """Return the process id of a part."""
        return self._supervisor.pid(part)

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self._state.log(part)

    async def kill(self, part: str) -> None:
        """End a part with SIGKILL; the supervisor starts it again by itself."""
        await self._supervisor.kill_one(part)

    async def until_ready(self, part: str) -> None:
        """Return when the part serves again."""
        await self._supervisor.until_ready(part)


@asynccontextmanager
async def running_system(folder: Path, **changed: object) -> AsyncIterator[System]:
    """Run the whole system for the block. Settings can be changed by name; ports are free ones, and nothing is replaced.

    It has prices when the block begins. Raises CannotStart with the end of the log of the part that did not come up, and
    NotReady when the venue is silent.
    """
    given = {**dict.fromkeys(REPLACEABLE), **free_ports(), "state": folder, **changed}
    settings = LocalSettings.model_validate(given)
    state = State(settings.state)
    with state.held():
        secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else state.secret()
        parts = system.parts(settings, state, secret)
        supervisor = Supervisor(parts, log=state.log, reporter=Silent())
        try:
            await supervisor.start()
            token = make_token(secret=secret, subject="test", accounts=(), scopes=(READ,))
            check = ready.prices(reachable(settings.price_svc_host), settings.price_svc_port, token)
            await ready.wait_for(check, PRICES_SECONDS)
            where = addresses(settings, gateway=any(part.name == "envoy" for part in parts))
            yield System(where, state, secret, supervisor)
        finally:
            await supervisor.stop()


def free_ports() -> dict[str, int]:
    """Return a free port for each setting."""
    return dict(zip(PORTS, ports.free_ports(len(PORTS)), strict=True))
