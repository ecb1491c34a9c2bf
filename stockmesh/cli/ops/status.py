"""`ops status`: are all services well, is the exchange reached, what may be sent, who is behind."""

import asyncio
from collections.abc import Coroutine, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from stockmesh.cli import local, screen
from stockmesh.cli.failures import REFUSED
from stockmesh.cli.ops.options import SERVICES, AdminToken, Broker, Gateway, addresses_of, admin_token, where
from stockmesh.cli.options import AsJson
from stockmesh.errors import CannotConnect

if TYPE_CHECKING:
    from stockmesh.cli.ops.broker import Lag
    from stockmesh.cli.ops.gateway import Health

TRADING = {"ACTIVE": ("●", "green"), "REDUCING": ("◐", "yellow"), "HALTED": ("■", "bold red")}
NAMES = {
    "price_svc": "trading.v1.PriceService",
    "order_svc": "trading.v1.OrderService",
    "exchange_gw": "trading.v1.ExchangeService",
}


def status(
    *,
    gateway: Gateway = None,
    price_svc: Annotated[str | None, where("price_svc")] = None,
    order_svc: Annotated[str | None, where("order_svc")] = None,
    edge: Annotated[str | None, where("edge")] = None,
    nats: Broker = None,
    token: AdminToken = None,
    as_json: AsJson = False,
) -> None:
    """Show every process with its health and release, the sessions with the exchange, what may be sent, and who is behind.

    Ends with 1 when a process is not serving, a session is not logged on or trading is not ACTIVE.
    """
    from stockmesh.cli.ops import gateway as door  # noqa: PLC0415 - gRPC costs 0.3 s at the start

    given = {"edge": edge, "price_svc": price_svc, "order_svc": order_svc, "exchange_gw": gateway}
    places = {service: addresses_of(service, given[service]) for service in SERVICES}
    key = admin_token(token)

    async def look() -> "tuple[list[Health], list[str], list[Any], list[Lag] | None]":
        async with asyncio.TaskGroup() as group:
            lag = group.create_task(_lag(nats)) if nats or "nats" in local.find_local().addresses else None
            releases = group.create_task(_releases(places, given))
            parts = await asyncio.gather(*_checks(places))
            reached = [part.address for part in parts if part.name == "exchange_gw" and part.is_well]
            venues = await asyncio.gather(*(door.venue_status(address, key) for address in reached))
        return parts, releases.result(), list(venues), lag.result() if lag else None

    parts, releases, venues, lag = _unwrapped(look())
    venue = _merged([door.as_json(found) for found in venues])
    sessions = venue.get("sessions", [])
    trading = venue.get("tradingState", {}).get("state", "")
    is_well = all(part.is_well for part in parts) and all(each["loggedOn"] for each in sessions) and trading == "ACTIVE"
    if as_json:
        services = [
            {"service": part.name, "address": part.address, "state": part.state, "version": release}
            for part, release in zip(parts, releases, strict=True)
        ]
        streams = [_told(one) for one in lag] if lag is not None else None
        screen.say_json({"services": services, "venue": venue, "streams": streams, "ok": is_well})
    else:
        _show(parts, releases, venue, lag)
    if not is_well:
        raise typer.Exit(REFUSED)


def _checks(places: dict[str, list[str]]) -> "list[Coroutine[Any, Any, Health]]":
    from stockmesh.cli.ops import gateway as door  # noqa: PLC0415 - gRPC costs 0.3 s at the start

    found = []
    for service, addresses in places.items():
        for address in addresses:
            host, _, port = address.rpartition(":")
            is_edge = service == "edge"
            found.append(
                door.check_http(service, host, int(port), "/healthz")
                if is_edge
                else door.check(service, address, NAMES[service])
            )
    return found


async def _releases(places: dict[str, list[str]], given: dict[str, str | None]) -> list[str]:
    """Return the release of each process where it is known: those of the local system say it at /metrics."""
    from stockmesh.cli.ops import figures  # noqa: PLC0415 - its parser is for few commands

    known = local.find_local().metrics

    async def release(address: str | None) -> str:
        found = await figures.read(address) if address else None
        return found.version if found else ""

    doors: list[str | None] = []
    for service, addresses in places.items():
        metrics = [] if given[service] else known.get(service, [])
        doors += [door for _, door in zip_longest(addresses, metrics[: len(addresses)])]
    return await asyncio.gather(*map(release, doors))


async def _lag(nats: str | None) -> "list[Lag] | None":
    from stockmesh.cli.ops import broker  # noqa: PLC0415 - NATS costs 0.1 s at the start

    try:
        async with broker.connected(nats) as client:
            return await broker.lag(client)
    except CannotConnect as error:
        screen.say(screen.errors(), Text(error.message, style="yellow"))
        return None


def _unwrapped(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _merged(venues: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the gateway's replicas say as one: a session is where it is logged on, if anywhere."""
    if not venues:
        return {}
    sessions: dict[str, dict[str, Any]] = {}
    for venue in venues:
        for session in venue["sessions"]:
            name = session["senderCompId"]
            if name not in sessions or session["loggedOn"]:
                sessions[name] = session
    ages = [int(venue["feedAgeMs"]) for venue in venues if int(venue["feedAgeMs"]) >= 0]
    return {
        **venues[0],
        "sessions": list(sessions.values()),
        "feedAgeMs": str(min(ages, default=-1)),
        "instruments": max(venue["instruments"] for venue in venues),
        "unansweredOrders": sum(int(venue["unansweredOrders"]) for venue in venues),
    }


def _show(
    parts: "Sequence[Health]", releases: Sequence[str], venue: dict[str, Any], lag: "Sequence[Lag] | None"
) -> None:
    console = screen.output()
    rows = [_service(part, release) for part, release in zip(parts, releases, strict=True)]
    console.print(screen.table(console, "Service|Address|State|Answered>|Release", rows))
    console.print()
    if lag is not None:
        console.print(screen.table(console, "Stream|Stored>|Waiting>|Not done>|Again>|Trend", map(_stream, lag)))
        console.print()
    if not venue:
        return
    console.print(screen.table(console, "FIX session|With|State|Since|Logons>", map(_session, venue["sessions"])))
    console.print()
    told = venue.get("tradingState", {})
    sign, style = TRADING.get(told.get("state", ""), ("?", screen.DIM))
    by = f"by {told['actor']}: {told['reason']}" if told.get("actor") else ""
    feed = int(venue["feedAgeMs"])
    screen.say(
        console,
        screen.words(
            "Trading",
            (f"{sign} {told.get('state', 'unknown')}", style),
            by,
            "no tick yet" if feed < 0 else f"last tick {screen.age(feed / 1000)} ago",
            f"{venue['instruments']} instruments",
            f"{venue['unansweredOrders']} orders unanswered",
        ),
    )


def _service(part: "Health", release: str) -> list[screen.Cell]:
    state = Text(f"{'●' if part.is_well else '✕'} {part.state}", style="green" if part.is_well else "bold red")
    return [Text(part.name, style="bold"), part.address, state, f"{part.milliseconds:.0f} ms", release or screen.NONE]


def _stream(lag: "Lag") -> list[screen.Cell]:
    trend = Text("steady", style=screen.DIM)
    if lag.per_second:
        trend = Text(
            f"{'↑' if lag.per_second > 0 else '↓'} {abs(lag.per_second):,.0f}/s",
            style="red" if lag.per_second > 0 else "green",
        )
    figures = (lag.stored, lag.waiting, lag.unacked, lag.redelivered)
    return [Text(lag.stream, style="bold"), *(f"{figure:,}" for figure in figures), trend]


def _told(lag: "Lag") -> dict[str, object]:
    figures = {"stored": lag.stored, "waiting": lag.waiting, "unacked": lag.unacked, "redelivered": lag.redelivered}
    return {"stream": lag.stream, **figures, "waitingPerSecond": lag.per_second}


def _session(found: dict[str, Any]) -> list[screen.Cell]:
    state = Text("● logged on", style="green") if found["loggedOn"] else Text("✕ logged out", style="bold red")
    since = screen.clock(found.get("changeTime"))
    return [Text(found["senderCompId"], style="bold"), found["targetCompId"], state, since, str(found["logons"])]
