"""The whole system inside a program: for tests and benchmarks, on free ports, with the folder that they give."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from infra.local import ports, ready, system
from infra.local.announcement import Addresses, addresses
from infra.local.broker_users import OPERATOR
from infra.local.part import Part
from infra.local.settings import REPLICA_STEP, LocalSettings, reachable
from infra.local.state import State
from infra.local.supervisor import Supervisor
from runtime.auth import READ, TRADE, make_token

PORTS = (
    *("envoy_port", "envoy_admin_port", "edge_port", "price_svc_port", "order_svc_port", "exchange_gw_port"),
    *("edge_metrics_port", "price_svc_metrics_port", "order_svc_metrics_port", "exchange_gw_metrics_port"),
    *("nats_port", "nats_monitor_port", "redis_port", "orders_mongo_port", "prices_mongo_port", "fix_port"),
)
PRICES_SECONDS = 30.0
# After a crash in a test nobody wants to wait for long.
LONGEST_PAUSE_SECONDS = 1.0
REPLACEABLE = (
    "nats_url",
    "redis_url",
    "order_svc_mongo_url",
    "price_svc_mongo_url",
    "exchange_gw_mongo_url",
    "fix_host",
)


Rework: TypeAlias = Callable[[Sequence[Part]], Sequence[Part]]
"""Changes the table of parts before anything starts: other addresses, other commands, parts left out."""


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

    def __init__(
        self, where: Addresses, settings: LocalSettings, state: State, secret: str, supervisor: Supervisor
    ) -> None:
        self.where, self.settings, self.secret = where, settings, secret
        self._state, self._supervisor = state, supervisor

    def token(self, account: str, *, scopes: tuple[str, ...] = (READ, TRADE)) -> str:
        """Return a token for one account."""
        return make_token(secret=self.secret, subject=account, accounts=(account,), scopes=scopes)

    @property
    def nats_url(self) -> str:
        """Where the broker is, for who may say and hear everything."""
        password = system.broker_passwords(self.settings, self._state).get(OPERATOR, "")
        return self.settings.nats_address_of(OPERATOR, password)

    def pid(self, part: str) -> int:
        """Return the process id of a part."""
        return self._supervisor.pid(part)

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self._state.log(part)

    def folder(self, part: str) -> Path:
        """Return the folder in which a part keeps its files."""
        return self._state.of(part)

    async def kill(self, part: str) -> None:
        """End a part with SIGKILL; the supervisor starts it again by itself."""
        await self._supervisor.kill_one(part)

    async def restart(self, part: str) -> None:
        """Ask a part to end and return when it has; the supervisor starts it again by itself."""
        await self._supervisor.stop_one(part)

    def down(self, part: str) -> AbstractAsyncContextManager[None]:
        """Kill a part and keep it down inside the block."""
        return self._supervisor.down(part)

    def freeze(self, part: str) -> None:
        """Stop a part's clock (SIGSTOP); `thaw` lets it go on."""
        self._supervisor.freeze(part)

    def thaw(self, part: str) -> None:
        """Let a frozen part go on (SIGCONT)."""
        self._supervisor.thaw(part)

    def set_environment(self, part: str, variables: Mapping[str, str | None]) -> None:
        """Change variables of a part's environment from its next start on; None takes one away."""
        row = self._supervisor.part(part)
        merged = {**row.environment, **variables}
        kept = {name: value for name, value in merged.items() if value is not None}
        self._supervisor.amend(replace(row, environment=kept))

    def set_command(self, part: str, command: Sequence[str]) -> None:
        """Run another program as a part from its next start on."""
        self._supervisor.amend(replace(self._supervisor.part(part), command=tuple(command)))

    def ends(self, part: str) -> int:
        """Return how often a part has ended; it is started again after each time."""
        return self._supervisor.ends(part)

    async def until_ready(self, part: str) -> None:
        """Return when the part serves again."""
        await self._supervisor.until_ready(part)


@asynccontextmanager
async def running_system(folder: Path, *, rework: Rework = list, **changed: object) -> AsyncIterator[System]:
    """Run the whole system for the block. Settings can be changed by name; ports are free ones, and nothing is replaced.

    It has prices when the block begins. Raises CannotStart with the end of the log of the part that did not come up, and
    NotReady when the venue is silent.
    """
    given = {**dict.fromkeys(REPLACEABLE), **free_ports(), "state": folder, **changed}
    settings = LocalSettings.model_validate(given)
    state = State(settings.state)
    with state.held():
        secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else state.secret()
        parts = rework(system.parts(settings, state, secret))
        supervisor = Supervisor(parts, log=state.log, reporter=Silent(), longest_pause=LONGEST_PAUSE_SECONDS)
        try:
            await supervisor.start()
            token = make_token(secret=secret, subject="test", accounts=(), scopes=(READ,))
            check = ready.prices(reachable(settings.price_svc_host), settings.price_svc_port, token)
            await ready.wait_for(check, PRICES_SECONDS)
            where = addresses(settings, gateway=any(part.name == "envoy" for part in parts))
            yield System(where, settings, state, secret, supervisor)
        finally:
            await supervisor.stop()


def free_ports() -> dict[str, int]:
    """Return a free port for each setting; second replicas have room, too."""
    return dict(zip(PORTS, ports.free_ports(len(PORTS), above=[REPLICA_STEP]), strict=True))
