"""The servers below the services, one function each: NATS, Redis, MongoDB. The tests start them by the same rows."""

import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

import infra
from infra.local import broker_users, programs, ready
from infra.local.part import Part, Port

HOST = "127.0.0.1"
NATS_CONFIGURATION = Path(infra.__file__).with_name("nats-server.conf")
# How long, and by how many writes, a change stream can be behind and still resume; all of them are read at a start.
OPLOG_SECONDS = 86_400
OPLOG_ENTRIES = 200_000
# What a killed client's open transaction has written is locked until this is over; no transaction of ours may last longer.
TRANSACTION_SECONDS = 10


def nats(*, port: int, monitor_port: int, folder: Path, passwords: Mapping[str, str] | None = None) -> Part:
    """JetStream, its streams kept in the folder. With passwords (by user) only who has one may come. Raises ProgramMissing."""
    configuration = _nats_with_users(folder) if passwords else NATS_CONFIGURATION
    return Part(
        name="nats",
        command=(programs.nats_server(), "--config", str(configuration)),
        environment={
            "NATS_PORT": str(port),
            "NATS_MONITOR_PORT": str(monitor_port),
            # The configuration language reads a bare path up to the first space or colon.
            "NATS_STORE": f'"{folder}"',
            **broker_users.environment(passwords or {}),
        },
        ready=ready.nats(HOST, port, password=(passwords or {}).get(broker_users.OPERATOR, "")),
        ports=(
            Port(number=port, setting="LOCAL_NATS_PORT"),
            Port(number=monitor_port, setting="LOCAL_NATS_MONITOR_PORT"),
        ),
        orphan_signal=signal.SIGTERM,
    )


def _nats_with_users(folder: Path) -> Path:
    """Write the broker's configuration with its users and return its path; passwords are not in it.

    Beside the folder of its streams, which may be lost or deleted.
    """
    path = folder.with_name("nats-server.conf")
    path.parent.mkdir(parents=True, exist_ok=True)
    users = broker_users.configuration(broker_users.users())
    path.write_text(f"{NATS_CONFIGURATION.read_text(encoding='utf-8')}\n{users}", encoding="utf-8")
    return path


def redis(*, port: int, folder: Path) -> Part:
    """A Redis server that keeps what it was told within a second. Raises ProgramMissing."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": HOST,
        "port": str(port),
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": "256mb",
        # An evicted key would be a forgotten order; better to refuse the write and ask the database.
        "maxmemory-policy": "noeviction",
    }
    arguments = tuple(word for name, value in options.items() for word in (f"--{name}", value))
    return Part(
        name="redis",
        command=(programs.valkey_server(), *arguments),
        ready=ready.redis(HOST, port),
        ports=(Port(number=port, setting="LOCAL_REDIS_PORT"),),
        orphan_signal=signal.SIGTERM,
    )


def mongo(name: str, *, port: int, port_setting: str, folder: Path, durable: bool) -> Part:
    """A MongoDB server that is a replica set of one. Raises ProgramMissing.

    `durable` says whether an acknowledged write must survive a kill of SecantusDB; a mongod always keeps it.
    """
    program = programs.mongo_server()
    kind = Path(program).name
    home = folder / kind
    home.mkdir(parents=True, exist_ok=True)
    arguments = _mongod(port, home) if kind == "mongod" else _secantus(port, home, durable=durable)
    return Part(
        name=name,
        command=(program, *arguments),
        ready=ready.mongo(HOST, port),
        ports=(Port(number=port, setting=port_setting),),
        orphan_signal=signal.SIGTERM,
    )


def mongo_url(port: int) -> str:
    """Return the address of a server that `mongo` started."""
    return f"mongodb://{HOST}:{port}/?directConnection=true"


async def end_transactions(port: int) -> None:
    """Abort what a killed client has left open, which would lock what it wrote for up to a minute.

    It ends the transactions of everybody; who lives runs his again. A server that is away, too, has none.
    """
    with suppress(PyMongoError):
        client: AsyncMongoClient[dict[str, object]]
        async with AsyncMongoClient(mongo_url(port), timeoutMS=2_000, serverSelectionTimeoutMS=2_000) as client:
            await client.admin.command("killAllSessions", [])


def _mongod(port: int, home: Path) -> tuple[str, ...]:
    return (
        *("--bind_ip", HOST, "--port", str(port), "--dbpath", str(home)),
        *("--replSet", "stockmesh", "--oplogMinRetentionHours", str(OPLOG_SECONDS // 3600)),
        *("--setParameter", "diagnosticDataCollectionEnabled=false", "--noscripting", "--quiet"),
        *("--setParameter", f"transactionLifetimeLimitSeconds={TRANSACTION_SECONDS}"),
    )


def _secantus(port: int, home: Path, *, durable: bool) -> tuple[str, ...]:
    # An empty configuration of our own: it would take one from the user's home.
    configuration = home.parent / "secantusd.toml"
    configuration.write_text("")
    return (
        *("--config", str(configuration), "--host", HOST, "--port", str(port), "--storage-path", str(home)),
        *("--cache-size", "256M", "--log-level", "WARNING"),
        *("--oplog-retention-seconds", str(OPLOG_SECONDS), "--oplog-max-entries", str(OPLOG_ENTRIES)),
        *(("--sync-on-commit",) if durable else ()),
    )
