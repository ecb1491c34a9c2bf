"""`ops status`: are all services well, is the exchange reached, what may be sent."""

import asyncio
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from rich.text import Text

from stockmesh.cli import local, screen
from stockmesh.cli.failures import REFUSED
from stockmesh.cli.ops.options import AdminToken, Gateway, address_of, admin_token
from stockmesh.cli.options import CONNECTION, AsJson

TRADING = {"ACTIVE": ("●", "green"), "REDUCING": ("◐", "yellow"), "HALTED": ("■", "bold red")}
DEFAULT_EDGE = "ws://127.0.0.1:8081/ws"


def _where(part: str) -> Any:
    return typer.Option(
        f"--{part.replace('_', '-')}", metavar="HOST:PORT", help=f"Where {part} is.", rich_help_panel=CONNECTION
    )


def status(
    *,
    gateway: Gateway = None,
    price_svc: Annotated[str | None, _where("price_svc")] = None,
    order_svc: Annotated[str | None, _where("order_svc")] = None,
    edge: Annotated[str | None, _where("edge")] = None,
    token: AdminToken = None,
    as_json: AsJson = False,
) -> None:
    """Show the health of every service, the sessions with the exchange, and what may be sent.

    Ends with 1 when a service is not serving, a session is not logged on or trading is not ACTIVE.
    """
    from stockmesh.cli.ops import gateway as door  # noqa: PLC0415 - gRPC costs 0.3 s at the start

    edge_url = urlsplit(f"//{edge}" if edge else local.find_local().addresses.get("edge", DEFAULT_EDGE))
    exchange_gw = address_of("exchange_gw", gateway)

    async def check() -> list[door.Health]:
        found = await asyncio.gather(
            door.check_http("edge", edge_url.hostname or "", edge_url.port or 80, "/healthz"),
            door.check("price_svc", address_of("price_svc", price_svc), "trading.v1.PriceService"),
            door.check("order_svc", address_of("order_svc", order_svc), "trading.v1.OrderService"),
            door.check("exchange_gw", exchange_gw, "trading.v1.ExchangeService"),
        )
        return list(found)

    parts = asyncio.run(check())
    venue: dict[str, Any] = {}
    if parts[-1].is_well:
        venue = door.as_json(door.ask(exchange_gw, admin_token(token), "GetVenueStatus"))
    sessions = venue.get("sessions", [])
    trading = venue.get("tradingState", {}).get("state", "")
    is_well = all(part.is_well for part in parts) and all(each["loggedOn"] for each in sessions) and trading == "ACTIVE"
    if as_json:
        services = {part.name: {"address": part.address, "state": part.state} for part in parts}
        screen.say_json({"services": services, "venue": venue, "ok": is_well})
    else:
        _show(parts, venue)
    if not is_well:
        raise typer.Exit(REFUSED)


def _show(parts: list[Any], venue: dict[str, Any]) -> None:
    console = screen.output()
    console.print(screen.table(console, "Service|Address|State|Answered>", map(_service, parts)))
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


def _service(part: Any) -> list[screen.Cell]:
    state = Text(f"{'●' if part.is_well else '✕'} {part.state}", style="green" if part.is_well else "bold red")
    return [Text(part.name, style="bold"), part.address, state, f"{part.milliseconds:.0f} ms"]


def _session(found: dict[str, Any]) -> list[screen.Cell]:
    state = Text("● logged on", style="green") if found["loggedOn"] else Text("✕ logged out", style="bold red")
    since = screen.clock(found.get("changeTime"))
    return [Text(found["senderCompId"], style="bold"), found["targetCompId"], state, since, str(found["logons"])]
