"""Every link with TLS: who shows no certificate of ours, or another name, is not spoken to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from gen.trading.v1 import exchange_pb2 as pb
from gen.trading.v1 import exchange_pb2_grpc
from infra.local import ready, servers
from runtime.auth import TokenVerifier, current_principal, make_token
from runtime.databases import open_mongo, open_redis
from runtime.jetstream import BusUnavailable, open_bus
from runtime.partners import Partners
from runtime.rpc import Context, Service, open_channel, serve_rpc
from runtime.rpc_errors import error_from
from runtime.settings import BusLogin
from runtime.tls import Tls, TlsError
from stockmesh.cli.certificates import Authority, spiffe_id, write
from tests.integration.order_svc.conftest import loops
from tests.servers import Server, free_port, running

SECRET = "a secret that is only for tests, 32 bytes"


@dataclass(frozen=True, slots=True)
class Certificates:
    """A folder of certificates, each as the files that a process is given."""

    folder: Path

    def of(self, name: str, *, ca: str = "ca") -> Tls:
        path = self.folder / name
        return Tls(f"{path}.pem", f"{path}.key", str(self.folder / f"{ca}.pem"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder, ours, foreign = tmp_path_factory.mktemp("certs"), Authority(days=1), Authority(days=1)
    write(folder, "ca", ours.issued)
    write(folder, "foreign_ca", foreign.issued)
    for name in ("edge", "order_svc", "server"):
        write(folder, name, ours.for_service(name))
    write(folder, "elsewhere", ours.for_service("elsewhere", ["elsewhere.example"]))
    write(folder, "acme", ours.for_partner("acme"))
    write(folder, "stranger", ours.for_partner("stranger"))
    write(folder, "foreign", foreign.for_service("edge"))
    return Certificates(folder)


class Probe(exchange_pb2_grpc.ExchangeServiceServicer):
    """Tells how many accounts the caller has."""

    async def GetVenueStatus(self, request: pb.GetVenueStatusRequest, context: Context) -> pb.GetVenueStatusResponse:
        return pb.GetVenueStatusResponse(instruments=len(current_principal().accounts))

    async def Reconcile(self, request: pb.ReconcileRequest, context: Context) -> pb.ReconcileResponse:
        return pb.ReconcileResponse()


@asynccontextmanager
async def a_door(tls: Tls, partners: Partners | None = None) -> AsyncIterator[int]:
    port, add = free_port(), exchange_pb2_grpc.add_ExchangeServiceServicer_to_server
    probe = Probe()  # type: ignore[abstract]  # the other methods are not asked for
    access = {"GetVenueStatus": "read", "Reconcile": "admin"}
    service = Service("trading.v1.ExchangeService", add, probe, access)
    verifier = TokenVerifier(secret=SECRET, issuer="stockmesh", audience="stockmesh")
    async with serve_rpc(
        host="127.0.0.1", port=port, services=[service], verifier=verifier, tls=tls, partners=partners
    ):
        yield port


async def ask(port: int, tls: Tls | None, *, method: str = "GetVenueStatus", token: str = "") -> Any:
    """Return the answer, or the reason why there is none."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    async with open_channel(f"localhost:{port}", tls=tls) as channel:
        stub: Any = exchange_pb2_grpc.ExchangeServiceStub(channel)
        request = pb.GetVenueStatusRequest() if method == "GetVenueStatus" else pb.ReconcileRequest()
        try:
            return await getattr(stub, method)(request, metadata=metadata, timeout=3)
        except grpc.aio.AioRpcError as failure:
            return error_from(failure).reason


def a_token() -> str:
    return make_token(secret=SECRET, subject="u", accounts=["a", "b", "c"], scopes=["read"])


async def test_a_partner_is_who_its_certificate_says_and_may_what_its_row_says(
    certificates: Certificates, tmp_path: Path
) -> None:
    listing = tmp_path / "partners.toml"
    listing.write_text(
        f'[partners.acme]\ncertificate = "{spiffe_id("acme")}"\naccounts = ["acme-1", "acme-2"]\nscopes = ["read"]\n'
    )
    async with a_door(certificates.of("order_svc"), Partners(str(listing))) as port:
        assert (await ask(port, certificates.of("acme"))).instruments == 2
        assert await ask(port, certificates.of("acme"), method="Reconcile") == "SCOPE_MISSING"
        assert await ask(port, certificates.of("stranger")) == "TOKEN_MISSING"
        # The user's own token counts, whoever brings it along.
        assert (await ask(port, certificates.of("edge"), token=a_token())).instruments == 3


async def test_who_has_no_certificate_of_ours_is_not_served(certificates: Certificates) -> None:
    nobody = Tls(ca=certificates.of("edge").ca)
    async with a_door(certificates.of("order_svc")) as port:
        for stranger in (nobody, replace(certificates.of("foreign"), ca=nobody.ca), None):
            assert await ask(port, stranger, token=a_token()) == "UNAVAILABLE"


@pytest.mark.parametrize(("server", "ca"), [("elsewhere", "ca"), ("order_svc", "foreign_ca")])
async def test_a_server_of_another_name_or_authority_is_not_spoken_to(
    certificates: Certificates, server: str, ca: str
) -> None:
    async with a_door(replace(certificates.of(server), ca="")) as port:
        assert await ask(port, certificates.of("edge", ca=ca), token=a_token()) == "UNAVAILABLE"


async def test_a_new_certificate_is_shown_without_a_restart(certificates: Certificates, tmp_path: Path) -> None:
    write(tmp_path, "server", Authority(days=1).for_service("server"))
    door = Tls(str(tmp_path / "server.pem"), str(tmp_path / "server.key"))
    async with a_door(door) as port:
        assert await ask(port, certificates.of("edge"), token=a_token()) == "UNAVAILABLE"

        for ending in ("key", "pem"):
            (tmp_path / f"server.{ending}").write_bytes((certificates.folder / f"server.{ending}").read_bytes())

        assert (await ask(port, certificates.of("edge"), token=a_token())).instruments == 3


@asynccontextmanager
async def a_tls_broker(certificates: Certificates, folder: Path) -> AsyncIterator[int]:
    """Run a broker that wants a certificate and a password."""
    port, passwords = free_port(), {"order_svc": "x" * 32, "operator": "y" * 32}
    plain = servers.nats(port=port, monitor_port=free_port(), folder=folder / "nats")
    server = certificates.of("server")
    configuration = folder / "nats.conf"
    configuration.write_text(
        servers.NATS_CONFIGURATION.read_text()
        + f'tls {{cert_file: "{server.certificate}", key_file: "{server.key}", ca_file: "{server.ca}", verify: true}}\n'
        + "authorization {user: order_svc, password: "
        + passwords["order_svc"]
        + "}\n"
    )
    part = replace(
        plain, command=(plain.command[0], "--config", str(configuration)), ready=ready.tcp("127.0.0.1", port)
    )
    async with running(Server(part, "", folder / "nats.log")):
        yield port


async def test_the_broker_takes_our_certificate_and_password_and_nothing_less(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.connecting.CONNECT_SECONDS", 1.0)
    login = BusLogin("order_svc", SecretStr("x" * 32), tls=certificates.of("order_svc"))
    async with a_tls_broker(certificates, tmp_path) as port, loops() as tasks:
        async with open_bus(f"tls://localhost:{port}", name="order_svc", tasks=tasks, login=login) as bus:
            assert await bus.publish("orders.updates.a", b"x", event_id="1") == 1
            await tasks.stop()
        foreign = replace(login, tls=certificates.of("order_svc", ca="foreign_ca"))
        with pytest.raises(BusUnavailable) as refusal:
            async with open_bus(f"tls://a:hunter2@localhost:{port}", name="x", tasks=tasks, login=foreign):
                pass
    assert "hunter2" not in str(refusal.value)


@asynccontextmanager
async def behind_tls(tls: Tls, target: str) -> AsyncIterator[int]:
    """Take TLS away in front of a server that has none itself."""
    host, port = target.removeprefix("redis://").split("/")[0].split(":")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca)
    context.load_cert_chain(tls.certificate, tls.key)
    context.verify_mode = ssl.CERT_REQUIRED

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        below_reader, below_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, below_writer), copy(below_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_redis_is_called_with_tls_when_its_address_says_so(certificates: Certificates, redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(behind_tls(certificates.of("server"), redis_url))
        async with open_redis(f"rediss://localhost:{port}/0", tls=certificates.of("edge")) as client:
            assert await client.ping()
        async with open_redis(f"rediss://localhost:{port}/0", tls=certificates.of("edge", ca="foreign_ca")) as client:
            with pytest.raises(Exception, match="certificate verify failed"):
                await client.ping()


async def test_the_database_is_called_with_tls_when_its_address_says_so(
    certificates: Certificates, tmp_path: Path
) -> None:
    port, server = free_port(), certificates.of("server")
    plain = servers.mongo("mongo", port=port, port_setting="", folder=tmp_path / "mongo", durable=False)
    if "secantus" not in plain.command[0]:
        pytest.skip("the development database's options are not mongod's")
    command = (*plain.command, "--tls-cert-file", server.certificate, "--tls-key-file", server.key)
    part = replace(plain, command=command, ready=ready.tcp("127.0.0.1", port))
    url = f"mongodb://localhost:{port}/?directConnection=true&tls=true"
    async with (
        running(Server(part, "", tmp_path / "mongo.log")),
        open_mongo(url, database="d", driver="pymongo", tls=certificates.of("edge")) as database,
    ):
        await database.ping()


@pytest.mark.parametrize("broken", ["certificate", "key", "ca"])
def test_a_file_that_is_missing_or_no_certificate_is_named_and_not_shown(
    certificates: Certificates, tmp_path: Path, broken: str
) -> None:
    path = tmp_path / "file"
    with pytest.raises(TlsError, match=str(path)):
        replace(certificates.of("edge"), **{broken: str(path)}).context()

    path.write_text("-----BEGIN PRIVATE KEY-----\nhunter2")
    with pytest.raises(TlsError, match=str(path)) as error:
        replace(certificates.of("edge"), **{broken: str(path)}).context()
    assert "hunter2" not in str(error.value)


def test_a_key_of_another_certificate_is_refused(certificates: Certificates) -> None:
    with pytest.raises(TlsError, match="no certificate and its key"):
        replace(certificates.of("edge"), key=certificates.of("order_svc").key).pems()
