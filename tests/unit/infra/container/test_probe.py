"""What the probe asks, and of whom."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from infra.container import probe
from infra.deploy_check import services


@pytest.mark.parametrize(
    ("command", "module"),
    [
        (b"python\0-m\0edge\0", "edge"),
        (b"/sbin/docker-init\0--\0python\0-m\0infra.exchange_sim\0", "infra.exchange_sim"),
    ],
)
def test_the_part_is_read_from_the_first_process(command: bytes, module: str) -> None:
    assert probe.running(command) == module


def test_a_foreign_first_process_does_not_serve() -> None:
    with pytest.raises(probe.NotServing):
        probe.running(b"sh\0-c\0sleep 9\0")


def test_a_part_that_listens_everywhere_is_asked_on_loopback_at_its_own_port() -> None:
    environment = {"ORDER_SVC_HOST": "0.0.0.0", "ORDER_SVC_PORT": "1234"}  # noqa: S104 - read, not listened on

    assert probe.address("order_svc", environment) == ("127.0.0.1", 1234, "trading.v1.OrderService")


def test_the_probe_knows_the_ports_that_the_settings_know() -> None:
    assert {module: port for module, (_, port, _) in probe.PARTS.items()} == {
        module: services.port(module) for module in probe.PARTS
    }


class _Page(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


class _Sick(_Page):
    status = 503


@pytest.fixture(params=[_Page, _Sick])
def page(request: pytest.FixtureRequest) -> Iterator[tuple[int, bool]]:
    server = HTTPServer(("127.0.0.1", 0), request.param)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port, request.param is _Page
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_serves_when_its_answer_is_200(page: tuple[int, bool]) -> None:
    port, is_well = page
    if is_well:
        probe.ask("127.0.0.1", port, "/healthz")
    else:
        with pytest.raises(probe.NotServing, match="503"):
            probe.ask("127.0.0.1", port, "/healthz")
