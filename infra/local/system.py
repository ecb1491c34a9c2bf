"""The table of everything that runs on one machine: which parts, with which environment, after which others."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from infra.local import broker_users, ready, servers
from infra.local.gateway import gateway
from infra.local.part import Part, Port, ReadyCheck
from infra.local.settings import LOOPBACK, LocalSettings, reachable
from infra.local.state import State
from runtime.auth import READ, make_token

# The edge asks for prices in its own name for as long as the system runs.
EDGE_TOKEN_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Secrets:
    """What parts prove themselves with: the secret of the tokens, and the broker's passwords by user (none: no users there)."""

    tokens: str
    broker: Mapping[str, str]


def broker_passwords(settings: LocalSettings, state: State) -> dict[str, str]:
    """Return the password of each user of the broker that is started here; none where it has no users, or is given."""
    if not settings.nats_users or settings.nats_url is not None:
        return {}
    return {user.name: state.broker_password(user.name) for user in broker_users.users()}


def parts(settings: LocalSettings, state: State, secret: str) -> list[Part]:
    """Return the parts to start here, those that others need first. Raises ProgramMissing.

    What a setting replaces is not in the list; the services are told where it is instead.
    """
    secrets = Secrets(secret, broker_passwords(settings, state))
    below = _servers(settings, state, secrets)
    started = frozenset(part.name for part in below)
    above = [
        _simulator(settings, state),
        _price_svc(settings, secrets),
        _order_svc(settings, secrets),
        _exchange_gw(settings, secrets),
        _edge(settings, secrets),
    ]
    if settings.fix_host is not None:
        above = [part for part in above if part.name != "exchange_sim"]
    front = gateway(settings, state.of("envoy"))
    everything = [*below, *above, *([front] if front else [])]
    names = started | {part.name for part in above}
    return [replace(part, needs=part.needs & names) for part in everything]


def _servers(settings: LocalSettings, state: State, secrets: Secrets) -> list[Part]:
    found = []
    if settings.nats_url is None:
        found.append(
            servers.nats(
                port=settings.nats_port,
                monitor_port=settings.nats_monitor_port,
                folder=state.of("nats"),
                passwords=secrets.broker,
            )
        )
    if settings.redis_url is None:
        found.append(servers.redis(port=settings.redis_port, folder=state.of("redis")))
    if settings.order_svc_mongo_url is None:
        found.append(
            servers.mongo(
                "orders_mongo",
                port=settings.orders_mongo_port,
                port_setting="LOCAL_ORDERS_MONGO_PORT",
                folder=state.of("orders_mongo"),
                durable=True,
            )
        )
    if settings.price_svc_mongo_url is None:
        found.append(
            servers.mongo(
                "prices_mongo",
                port=settings.prices_mongo_port,
                port_setting="LOCAL_PRICES_MONGO_PORT",
                folder=state.of("prices_mongo"),
                durable=False,
            )
        )
    return found


def _simulator(settings: LocalSettings, state: State) -> Part:
    folder = state.of("exchange_sim")
    folder.mkdir(parents=True, exist_ok=True)
    return _python(
        "infra.exchange_sim",
        name="exchange_sim",
        environment={
            "EXCHANGE_SIM_HOST": LOOPBACK,
            "EXCHANGE_SIM_PORT": str(settings.fix_port),
            "EXCHANGE_SIM_LEDGER_PATH": str(folder / "ledger.jsonl"),
        },
        ready=ready.tcp(LOOPBACK, settings.fix_port),
        port=Port(number=settings.fix_port, setting="FIX_PORT"),
    )


def _price_svc(settings: LocalSettings, secrets: Secrets) -> Part:
    url = settings.price_svc_mongo_url or servers.mongo_url(settings.prices_mongo_port)
    return _python(
        "price_svc",
        environment={
            **_shared(settings, secrets, "price_svc"),
            **_listening("PRICE_SVC", settings.price_svc_host, settings.price_svc_port),
            "PRICE_SVC_MONGO_URL": url,
            "PRICE_SVC_ANONYMOUS_READS": os.environ.get("PRICE_SVC_ANONYMOUS_READS", "true"),
        },
        needs=("nats", "redis", "prices_mongo"),
        ready=ready.rpc(reachable(settings.price_svc_host), settings.price_svc_port, "trading.v1.PriceService"),
        port=Port(number=settings.price_svc_port, setting="PRICE_SVC_PORT"),
    )


def _order_svc(settings: LocalSettings, secrets: Secrets) -> Part:
    url = settings.order_svc_mongo_url or servers.mongo_url(settings.orders_mongo_port)
    return _python(
        "order_svc",
        environment={
            **_shared(settings, secrets, "order_svc"),
            **_listening("ORDER_SVC", settings.order_svc_host, settings.order_svc_port),
            "ORDER_SVC_MONGO_URL": url,
        },
        # Only in a server of our own.
        tidy_up=None if settings.order_svc_mongo_url else partial(servers.end_transactions, settings.orders_mongo_port),
        needs=("nats", "redis", "orders_mongo"),
        ready=ready.rpc(reachable(settings.order_svc_host), settings.order_svc_port, "trading.v1.OrderService"),
        port=Port(number=settings.order_svc_port, setting="ORDER_SVC_PORT"),
    )


def _exchange_gw(settings: LocalSettings, secrets: Secrets) -> Part:
    url = (
        settings.exchange_gw_mongo_url or settings.order_svc_mongo_url or servers.mongo_url(settings.orders_mongo_port)
    )
    return _python(
        "exchange_gw",
        environment={
            **_shared(settings, secrets, "exchange_gw"),
            **_listening("EXCHANGE_GW", settings.exchange_gw_host, settings.exchange_gw_port),
            "EXCHANGE_GW_MONGO_URL": url,
            "FIX_HOST": settings.fix_host or LOOPBACK,
            "FIX_PORT": str(settings.fix_port),
        },
        needs=("nats", "orders_mongo", "exchange_sim"),
        ready=ready.rpc(reachable(settings.exchange_gw_host), settings.exchange_gw_port, "trading.v1.ExchangeService"),
        port=Port(number=settings.exchange_gw_port, setting="EXCHANGE_GW_PORT"),
    )


def _edge(settings: LocalSettings, secrets: Secrets) -> Part:
    token = make_token(
        secret=secrets.tokens, subject="edge", accounts=(), scopes=(READ,), lifetime_seconds=EDGE_TOKEN_SECONDS
    )
    return _python(
        "edge",
        environment={
            **_shared(settings, secrets, "edge"),
            **_listening("EDGE", settings.edge_host, settings.edge_port),
            "EDGE_PRICE_SVC": f"{reachable(settings.price_svc_host)}:{settings.price_svc_port}",
            "EDGE_ORDER_SVC": f"{reachable(settings.order_svc_host)}:{settings.order_svc_port}",
            "EDGE_TOKEN": token,
        },
        needs=("nats", "price_svc", "order_svc"),
        ready=ready.http(reachable(settings.edge_host), settings.edge_port, "/healthz"),
        port=Port(number=settings.edge_port, setting="EDGE_PORT"),
    )


def _python(
    module: str,
    *,
    environment: Mapping[str, str],
    ready: ReadyCheck,
    port: Port,
    tidy_up: Callable[[], Awaitable[None]] | None = None,
    name: str = "",
    needs: tuple[str, ...] = (),
) -> Part:
    return Part(
        name=name or module,
        command=(sys.executable, "-m", module),
        # Our own rooms see the settings of whoever started us, so that every knob of a service can be turned from outside.
        environment={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        needs=frozenset(needs),
        ready=ready,
        ports=(port,),
        tidy_up=tidy_up,
    )


def _shared(settings: LocalSettings, secrets: Secrets, name: str) -> dict[str, str]:
    return {
        "NATS_URL": settings.nats_address_of(name, secrets.broker.get(name, "")),
        "REDIS_URL": settings.redis_address,
        "JWT_SECRET": secrets.tokens,
        "LOG_FORMAT": os.environ.get("LOG_FORMAT", "json"),
    }


def _listening(prefix: str, host: str, port: int) -> dict[str, str]:
    return {f"{prefix}_HOST": host, f"{prefix}_PORT": str(port)}
