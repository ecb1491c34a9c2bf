"""docs/metrics.md names what the processes tell: all of it, and nothing else."""

from uuid import uuid4

import pytest

from infra.local.running import System
from tests.e2e.scraping import SERVICES, page, scrape
from tests.socket_client import Socket

# What the client library tells of itself.
LIBRARY = "python_"
# Of a label's values; a symbol, an account or an order among them would make thousands.
MOST_VALUES = 40
NEVER_LABELS = {"symbol", "account", "account_id", "order_id", "user", "token"}


@pytest.fixture
def doors(system: System) -> dict[str, str]:
    """Where each service tells its figures."""
    return {service: system.where.metrics[service][0] for service in SERVICES}


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_told_is_what_the_page_says(doors: dict[str, str], service: str) -> None:
    told = {name: kind for name, (kind, _) in scrape(doors[service]).items() if not name.startswith(LIBRARY)}
    assert told == {name: row.kind for name, row in page().items() if not row.services or service in row.services}


async def test_labels_are_the_pages_and_have_few_values(doors: dict[str, str], socket: Socket, account: str) -> None:
    await fill_an_order(socket)
    rows = page()
    for service in SERVICES:
        for name, (_, samples) in scrape(doors[service]).items():
            if name.startswith(LIBRARY):
                continue
            assert {label for sample in samples for label in sample} - {"le"} <= rows[name].labels, name
            assert not rows[name].labels & NEVER_LABELS
            for label in rows[name].labels:
                values = {sample[label] for sample in samples if label in sample}
                assert len(values) <= MOST_VALUES, (name, label)
                assert not any(account in value for value in values)


async def test_an_order_leaves_its_trace_in_each_hop(doors: dict[str, str], socket: Socket) -> None:
    await fill_an_order(socket)
    orders, gateway = scrape(doors["order_svc"]), scrape(doors["exchange_gw"])
    assert {"type": "MARKET"} in orders["orders_placed_total"][1]
    methods = {(sample["method"], sample["code"]) for sample in orders["rpc_requests_total"][1]}
    assert ("trading.v1.OrderService/PlaceOrder", "OK") in methods
    assert {"stream": "ORDER_REPORTS", "consumer": "order_svc-reports"} in orders["bus_redelivered_total"][1]
    assert {"ORDER_COMMANDS"} <= {sample["stream"] for sample in orders["bus_publish_seconds"][1]}
    assert {"ORDER_REPORTS"} <= {sample["stream"] for sample in gateway["bus_publish_seconds"][1]}


async def fill_an_order(socket: Socket) -> None:
    await socket.ask("orders.subscribe")
    placed = await socket.ask(
        "orders.place", symbol="AAPL", side="BUY", type="MARKET", quantity="10", clientOrderId=uuid4().hex
    )
    await socket.until_order(placed["order"]["orderId"], "FILLED")
