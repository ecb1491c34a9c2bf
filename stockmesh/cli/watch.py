"""`watch`: live prices, as a table that moves on a terminal, as lines elsewhere."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from stockmesh.cli import screen
from stockmesh.cli.board import Board
from stockmesh.cli.local import url_of
from stockmesh.cli.options import AsJson, Symbols, Token, Url, upper
from stockmesh.cli.running import converse
from stockmesh.client import Client
from stockmesh.errors import StockmeshError
from stockmesh.models import PriceStatus, Quote
from stockmesh.watching import PriceWatch

DRAWS_PER_SECOND = 8


def watch(
    symbols: Symbols,
    *,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0.1, help="End by itself after so long.")] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End by itself after so many updates.")] = None,
    max_hz: Annotated[
        float | None,
        typer.Option(
            "--max-hz",
            min=0.0,
            max=50.0,
            help="Most updates a second for each symbol. Default: 8 in a table, else all.",
        ),
    ] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Watch live prices until Ctrl-C.

    On a terminal it is a table that moves; elsewhere, a line for each update.
    """
    console = screen.output()
    in_table = console.is_terminal and not as_json
    wanted = upper(symbols)
    pace = max_hz if max_hz is not None else float(DRAWS_PER_SECOND if in_table else 0)

    async def work(client: Client) -> None:
        async with client.watch(wanted, max_hz=pace) as prices:
            until = asyncio.timeout(seconds)
            try:
                async with until:
                    if in_table:
                        await _table(client, prices, console, Board(wanted, title=_title(url)), count)
                    else:
                        await _lines(prices, console, count, as_json=as_json)
            except TimeoutError:
                if not until.expired():
                    raise

    with suppress(KeyboardInterrupt):  # the usual way out
        converse(work, url=url, token=token)


def _title(url: str | None) -> str:
    return f"stockmesh  {urlsplit(url_of(url)).netloc}"


async def _table(client: Client, prices: PriceWatch, console: Console, board: Board, count: int | None) -> None:
    with Live(board, console=console, auto_refresh=False, vertical_overflow="visible") as live:

        async def draw() -> None:
            while True:
                _annotate(board, client, prices)
                live.refresh()
                await asyncio.sleep(1 / DRAWS_PER_SECOND)

        failure: StockmeshError | None = None
        async with asyncio.TaskGroup() as tasks:
            drawing = tasks.create_task(draw())
            try:
                async for item in prices:
                    board.take(item)
                    if count is not None and board.updates >= count:
                        break
            except StockmeshError as error:
                # Outside of the group it is told in one line.
                failure = error
            drawing.cancel()
        _annotate(board, client, prices)
    if failure is not None:
        raise failure


def _annotate(board: Board, client: Client, prices: PriceWatch) -> None:
    for refusal in prices.refused.values():
        board.refuse(refusal.symbol, refusal.message or refusal.reason)
    slowed = f", slowed down to {prices.degraded.max_hz:g} a second" if prices.degraded else ""
    state = "live" if client.connected else "connection lost, connecting again"
    board.note = f"{state}{slowed} · {board.updates:,} updates · {datetime.now(UTC):%H:%M:%S} UTC · Ctrl-C leaves"


async def _lines(prices: PriceWatch, console: Console, count: int | None, *, as_json: bool) -> None:
    told: set[str] = set()
    seen = 0
    async for item in prices:
        for refusal in prices.refused.values():
            if refusal.symbol not in told:
                told.add(refusal.symbol)
                screen.say(screen.errors(), f"{refusal.symbol} is not watched: {refusal.message or refusal.reason}")
        if as_json:
            screen.say_json(item)
        else:
            screen.say(console, _line(item))
        seen += isinstance(item, Quote)
        if count is not None and seen >= count:
            return


def _line(item: Quote | PriceStatus) -> Text:
    if isinstance(item, PriceStatus):
        return screen.words(
            (screen.clock(item.since), screen.DIM), f"{item.symbol:<6}", screen.state(item.state), item.reason
        )
    time = item.quote_time.astimezone().strftime("%H:%M:%S.%f")[:-3] if item.quote_time else screen.NONE
    return screen.words(
        (time, screen.DIM),
        (f"{item.symbol:<6}", "bold"),
        f"{screen.money(item.price):>10}",
        screen.signed(item.change),
        screen.signed(item.change_percent, "%"),
        f"bid {screen.money(item.bid)}",
        f"ask {screen.money(item.ask)}",
        f"volume {item.volume:,}",
        screen.state(item.state),
    )
