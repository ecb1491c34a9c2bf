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
        *(
            replica(settings, secrets, number)
            for replica in (_price_svc, _order_svc, _exchange_gw, _edge)
            for number in range(settings.replicas)
        ),
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
        ports=(Port(number=settings.fix_port, setting="FIX_PORT"),),
    )


def _price_svc(settings: LocalSettings, secrets: Secrets, number: int) -> Part:
    url = settings.price_svc_mongo_url or servers.mongo_url(settings.prices_mongo_port)
    return _python(
        "price_svc",
        environment={
            **_shared(settings, secrets, "price_svc"),
            **_listening(settings, "price_svc", number),
            "PRICE_SVC_MONGO_URL": url,
            "PRICE_SVC_ANONYMOUS_READS": os.environ.get("PRICE_SVC_ANONYMOUS_READS", "true"),
        },
        needs=("nats", "redis", "prices_mongo"),
        ready=ready.rpc(*_door(settings, "price_svc", number), "trading.v1.PriceService"),
        ports=_ports(settings, "price_svc", number),
        name=_name("price_svc", number),
    )


def _order_svc(settings: LocalSettings, secrets: Secrets, number: int) -> Part:
    url = settings.order_svc_mongo_url or servers.mongo_url(settings.orders_mongo_port)
    return _python(
        "order_svc",
        environment={
            **_shared(settings, secrets, "order_svc"),
            **_listening(settings, "order_svc", number),
            "ORDER_SVC_MONGO_URL": url,
        },
        # Only in a server of our own.
        tidy_up=None if settings.order_svc_mongo_url else partial(servers.end_transactions, settings.orders_mongo_port),
        needs=("nats", "redis", "orders_mongo"),
        ready=ready.rpc(*_door(settings, "order_svc", number), "trading.v1.OrderService"),
        ports=_ports(settings, "order_svc", number),
        name=_name("order_svc", number),
    )


def _exchange_gw(settings: LocalSettings, secrets: Secrets, number: int) -> Part:
    url = (
        settings.exchange_gw_mongo_url or settings.order_svc_mongo_url or servers.mongo_url(settings.orders_mongo_port)
    )
    return _python(
        "exchange_gw",
        environment={
            **_shared(settings, secrets, "exchange_gw"),
            **_listening(settings, "exchange_gw", number),
            "EXCHANGE_GW_MONGO_URL": url,
            "FIX_HOST": settings.fix_host or LOOPBACK,
            "FIX_PORT": str(settings.fix_port),
        },
        needs=("nats", "orders_mongo", "exchange_sim"),
        ready=ready.rpc(*_door(settings, "exchange_gw", number), "trading.v1.ExchangeService"),
        ports=_ports(settings, "exchange_gw", number),
        name=_name("exchange_gw", number),
    )


def _edge(settings: LocalSettings, secrets: Secrets, number: int) -> Part:
    token = make_token(
        secret=secrets.tokens, subject="edge", accounts=(), scopes=(READ,), lifetime_seconds=EDGE_TOKEN_SECONDS
    )
    return _python(
        "edge",
        environment={
            **_shared(settings, secrets, "edge"),
            **_listening(settings, "edge", number),
            "EDGE_PRICE_SVC": _all_of(settings, "price_svc"),
            "EDGE_ORDER_SVC": _all_of(settings, "order_svc"),
            "EDGE_TOKEN": token,
        },
        needs=("nats", "price_svc", "order_svc"),
        ready=ready.http(*_door(settings, "edge", number), "/healthz"),
        ports=_ports(settings, "edge", number),
        name=_name("edge", number),
    )


def _python(
    module: str,
    *,
    environment: Mapping[str, str],
    ready: ReadyCheck,
    ports: tuple[Port, ...],
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
        ports=ports,
        tidy_up=tidy_up,
    )


def _shared(settings: LocalSettings, secrets: Secrets, name: str) -> dict[str, str]:
    return {
        "NATS_URL": settings.nats_address_of(name, secrets.broker.get(name, "")),
        "REDIS_URL": settings.redis_address,
        "JWT_SECRET": secrets.tokens,
        "LOG_FORMAT": os.environ.get("LOG_FORMAT", "json"),
    }


def _name(service: str, number: int) -> str:
    """Return the name of a replica: the first is called as the service is."""
    return f"{service}-{number + 1}" if number else service


def _door(settings: LocalSettings, service: str, number: int) -> tuple[str, int]:
    return reachable(getattr(settings, f"{service}_host")), settings.ports_of(service)[number]


def _all_of(settings: LocalSettings, service: str) -> str:
    """Return a service's replicas as one target of gRPC, which goes on to the next when one is gone."""
    addresses = settings.addresses_of(service)
    return addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"


def _ports(settings: LocalSettings, service: str, number: int) -> tuple[Port, ...]:
    prefix = service.upper()
    metrics = settings.metrics_ports_of(service)
    return (
        Port(number=settings.ports_of(service)[number], setting=f"{prefix}_PORT"),
        *([Port(number=metrics[number], setting=f"{prefix}_METRICS_PORT")] if metrics else []),
    )


def _listening(settings: LocalSettings, service: str, number: int) -> dict[str, str]:
    prefix = service.upper()
    metrics = settings.metrics_ports_of(service)
    return {
        f"{prefix}_HOST": getattr(settings, f"{service}_host"),
        f"{prefix}_PORT": str(settings.ports_of(service)[number]),
        f"{prefix}_METRICS_PORT": str(metrics[number] if metrics else 0),
    }
