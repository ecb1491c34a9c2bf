"""`make run`: start the system on this machine, say where it is, keep it running until Ctrl-C, leave nothing behind."""

import argparse
import asyncio
import os
import resource
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console

from infra.local import past, ports, ready, system
from infra.local.announcement import Addresses, addresses
from infra.local.broker_users import OPERATOR
from infra.local.part import NotReady, Part
from infra.local.programs import ProgramMissing
from infra.local.screen import Screen
from infra.local.settings import LocalSettings, reachable
from infra.local.state import AlreadyRunning, State
from infra.local.supervisor import CannotStart, Supervisor
from runtime.auth import READ, TRADE, make_token

DEMO_ACCOUNT = "demo"
DEMO_TOKEN_SECONDS = 86_400
FAILED, BAD_SETTINGS = 1, 2
OPEN_FILES = 65_536
PRICES_SECONDS = 15.0


def main() -> int:
    """Run until SIGINT, SIGTERM or SIGHUP. Returns 0 when stopped so, 1 when it could not start, 2 when a setting is wrong."""
    screen = Screen(Console(highlight=False))
    arguments = argparse.ArgumentParser(
        prog="python -m infra.local", description="Run the whole system on this machine."
    )
    arguments.add_argument(
        "--replicas", metavar="N", help="how many of each service run behind the gateway (LOCAL_REPLICAS)"
    )
    given = {name: value for name, value in vars(arguments.parse_args()).items() if value is not None}
    try:
        settings = LocalSettings(**given)
    except ValidationError as error:
        for problem in error.errors():
            screen.say(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}", "red")
        return BAD_SETTINGS
    state = State(settings.state)
    try:
        with state.held():
            return asyncio.run(_run(settings, state, screen))
    except (AlreadyRunning, ProgramMissing) as error:
        screen.say(str(error), "red")
        return FAILED


async def _run(settings: LocalSettings, state: State, screen: Screen) -> int:
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else state.secret()
    parts = system.parts(settings, state, secret)
    if taken := ports.conflicts(parts):
        for sentence in taken:
            screen.say(sentence, "red")
        return FAILED
    _allow_many_files()
    started = time.monotonic()
    supervisor = Supervisor(parts, log=state.log, reporter=screen)
    stop = _stop_on_signals(supervisor)
    screen.open(f"stockmesh on this machine, files in {_short(state.folder)}", parts)
    try:
        starting = asyncio.create_task(_start(supervisor, settings, secret))
        if await _first(starting, stop):
            return 0
        screen.settle()
        where = addresses(settings, gateway=any(part.name == "envoy" for part in parts))
        state.announce(
            where.as_json(
                os.getpid(),
                state.folder / "jwt_secret" if settings.jwt_secret is None else None,
                state.broker_password_file(OPERATOR) if system.broker_passwords(settings, state) else None,
            )
        )
        _tell(screen, settings, where, state=state, secret=secret)
        _warn(screen, settings, parts)
        if silence := starting.result():
            screen.say(f"{silence}; what the gateway says: {_short(state.log('exchange_gw'))}", "yellow")
        screen.say(f"ready in {time.monotonic() - started:.1f} s, Ctrl-C stops it", "bold green")
        await _first(asyncio.create_task(_watch(supervisor, settings, parts, state, screen)), stop)
    except CannotStart as error:
        screen.settle()
        screen.say(str(error), "red")
        return FAILED
    finally:
        screen.settle()
        screen.say("stopping")
        await supervisor.stop()
        screen.say("stopped")
    return 0


async def _start(supervisor: Supervisor, settings: LocalSettings, secret: str) -> str:
    """Start everything and wait for the first prices, so that the first order meets no unknown symbol; or say why none came."""
    await supervisor.start()
    token = make_token(
        secret=secret, subject="make run", accounts=(), scopes=(READ,), lifetime_seconds=2 * PRICES_SECONDS
    )
    try:
        check = ready.prices(reachable(settings.price_svc_host), settings.price_svc_port, token)
        await ready.wait_for(check, PRICES_SECONDS)
    except NotReady as problem:
        return str(problem)
    return ""


async def _watch(
    supervisor: Supervisor, settings: LocalSettings, parts: list[Part], state: State, screen: Screen
) -> None:
    """Watch over the parts; the first time charts are filled meanwhile, which holds up nothing."""
    filling = asyncio.create_task(_fill_charts(parts, state, screen)) if settings.past else None
    try:
        await supervisor.watch()
    finally:
        if filling is not None:
            filling.cancel()
            with suppress(asyncio.CancelledError):
                await filling


async def _fill_charts(parts: list[Part], state: State, screen: Screen) -> None:
    if not past.is_wanted(parts, state):
        return
    try:
        screen.say(await past.load_past(parts, state), "dim")
    except OSError as error:
        screen.say(f"charts have no past: {error}", "yellow")


async def _first(work: "asyncio.Task[Any]", stop: asyncio.Event) -> bool:
    """Wait for the work or for the wish to stop, and return whether it was the wish. Raises what the work raises."""
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return True
        await work
        return False
    finally:
        waiting.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError, CannotStart):
            await work


def _stop_on_signals(supervisor: Supervisor) -> asyncio.Event:
    """Return an event that the first signal sets; a second one kills everything at once."""
    stop = asyncio.Event()

    def ask() -> None:
        if stop.is_set():
            supervisor.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ask)
    return stop


def _allow_many_files() -> None:
    """Raise the limit of open files that the parts inherit: every client is a socket, twice."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _tell(screen: Screen, settings: LocalSettings, where: Addresses, *, state: State, secret: str) -> None:
    command = "stockmesh" if shutil.which("stockmesh") else _short(Path(sys.executable).with_name("stockmesh"))
    token = make_token(
        secret=secret,
        subject=DEMO_ACCOUNT,
        accounts=(DEMO_ACCOUNT,),
        scopes=(READ, TRADE),
        lifetime_seconds=DEMO_TOKEN_SECONDS,
    )
    screen.say("")
    rows = [("page", f"{where.page}/#token={token}"), ("WebSocket", where.websocket)]
    if where.rest is not None:
        rows.append(("REST", f"{where.rest}/stockPrices?symbol=AAPL"))
        rows.append(("gRPC", where.rest.removeprefix("http://")))
    rows += [
        ("prices", f"{_all(where, 'price_svc')} (gRPC)"),
        ("orders", f"{_all(where, 'order_svc')} (gRPC)"),
        ("operators", f"{_all(where, 'exchange_gw')} (gRPC)"),
        ("logs", f"{_short(state.folder)}/logs"),
        ("token", token),
        ("try", f"{command} watch AAPL MSFT"),
    ]
    screen.facts(rows)
    screen.say("")


def _all(where: Addresses, service: str) -> str:
    return ", ".join(where.replicas[service])


def _warn(screen: Screen, settings: LocalSettings, parts: list[Part]) -> None:
    if not any(part.name == "envoy" for part in parts):
        screen.say(
            f"There is no Envoy for this machine: port {settings.envoy_port} is closed, all else works.", "yellow"
        )
    if any("secantus" in word for part in parts for word in part.command[:3]):
        screen.say(
            "This is for development: one machine, SecantusDB in place of MongoDB, no TLS, tokens signed here.", "dim"
        )


def _short(path: Path) -> str:
    """Return a path as a person in this folder writes it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
