"""The table of deadlines says something of every method, and the documentation shows it."""

import re
from pathlib import Path

from gen.trading.v1 import order_pb2, price_pb2
from stockmesh.deadlines import DEADLINES, RPCS

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()


def test_the_documentation_shows_the_table() -> None:
    shown = re.findall(r"^\| `([a-z.]+)` \| (.*) \| ([0-9.]+) \|$", PAGE, re.MULTILINE)

    assert {method: float(seconds) for method, _, seconds in shown} == dict(DEADLINES)
    assert {rpc: method for method, rpcs, _ in shown for rpc in re.findall(r"`([^`]+)`", rpcs)} == dict(RPCS)


def test_every_method_of_the_socket_has_a_deadline() -> None:
    told = set(re.findall(r"^\| `((?:prices|orders|instruments|market)\.[a-z]+)", PAGE, re.MULTILINE))

    assert told - {"prices.update", "orders.update"} <= DEADLINES.keys()


def test_every_call_of_the_services_has_a_deadline() -> None:
    unary = {
        f"{service.name}/{method.name}"
        for file in (price_pb2.DESCRIPTOR, order_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
        if not method.server_streaming
    }

    assert unary == RPCS.keys()
