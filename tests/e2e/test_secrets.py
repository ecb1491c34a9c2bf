"""What must not show and must not be reached: secrets in command lines, logs and refusals; doors beyond this machine."""

from pathlib import Path

import psutil

from infra.local import broker_users
from infra.local.running import System
from runtime.auth import make_token
from tests.socket_client import Refused, Socket, connected

PARTS = ("nats", "redis", "orders_mongo", "price_svc", "order_svc", "exchange_gw", "edge")


def secrets_of(system: System, *tokens: str) -> dict[str, str]:
    """Return what nobody may see, by name."""
    folder = system.folder("nats_passwords")
    passwords = {user.name: (folder / user.name).read_text().strip() for user in broker_users.users()}
    return {"jwt": system.secret, **passwords, **{f"token {number}": token for number, token in enumerate(tokens)}}


async def test_no_secret_shows_in_command_lines_logs_or_refusals(system: System, socket: Socket, account: str) -> None:
    good = system.token(account)
    foreign = make_token(secret="another secret of 32 bytes or more", subject="eve", accounts=["eve"])
    refusals = []
    for token in (foreign, f"{good}x", "nonsense"):
        try:
            async with connected(system.where.edge, token) as refused:
                await refused.ask("market.status")
        except Refused as refusal:
            refusals.append(str(refusal))
    await socket.ask("market.status")

    hidden = secrets_of(system, good, foreign)
    places = {f"refusal {number}": refusal for number, refusal in enumerate(refusals)}
    places |= {path.name: path.read_text(errors="replace") for path in sorted(_logs(system))}
    for part in PARTS:
        for process in (psutil.Process(system.pid(part)), *psutil.Process(system.pid(part)).children(recursive=True)):
            places[f"command line of {part} {process.pid}"] = " ".join(process.cmdline())
    shown = [
        f"{name} in {place}" for name, secret in hidden.items() for place, text in places.items() if secret in text
    ]

    assert len(refusals) == 3
    assert len(places) >= 15
    assert shown == []


def _logs(system: System) -> list[Path]:
    return list(system.log("edge").parent.glob("*.log"))


async def test_no_service_wishes_for_what_its_user_at_the_broker_may_not(system: System, socket: Socket) -> None:
    await socket.ask("market.status")

    wishes = [
        path.name for path in _logs(system) if "permissions violation" in path.read_text(errors="replace").lower()
    ]

    assert wishes == []


def test_nothing_listens_beyond_this_machine(system: System) -> None:
    listening = {
        # gRPC listens on IPv4 addresses by sockets of IPv6.
        (part, connection.laddr.ip.removeprefix("::ffff:"))
        for part in (*PARTS, "exchange_sim", "prices_mongo")
        for process in (psutil.Process(system.pid(part)), *psutil.Process(system.pid(part)).children(recursive=True))
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert {part for part, _ in listening} == {*PARTS, "exchange_sim", "prices_mongo"}
    assert {address for _, address in listening} <= {"127.0.0.1", "::1"}
