"""Who may call what: every method of every service says so, and what says nothing is closed."""

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.descriptor import ServiceDescriptor

import exchange_gw.rpc
import order_svc.rpc
import price_svc.rpc
from gen.trading.v1 import exchange_pb2, order_pb2, price_pb2
from runtime.rpc import Service

NOBODY: Any = None


def services() -> list[tuple[ServiceDescriptor, Service]]:
    """Return each service of the contract with what its door says of it."""
    doors = [
        (order_pb2, order_svc.rpc.service(NOBODY)),
        (exchange_pb2, exchange_gw.rpc.service(NOBODY)),
        (price_pb2, price_svc.rpc.price_service(NOBODY, NOBODY, anonymous_reads=False)),
    ]
    return [(next(iter(module.DESCRIPTOR.services_by_name.values())), service) for module, service in doors]


def access(name: str) -> Mapping[str, str | None]:
    return next(service.access for _, service in services() if service.name == f"trading.v1.{name}")


@pytest.mark.parametrize("number", range(3))
def test_every_method_says_who_may_call_it_and_nothing_else_is_listed(number: int) -> None:
    descriptor, service = services()[number]

    assert service.name == descriptor.full_name
    assert set(service.access) == {method.name for method in descriptor.methods}


def test_every_method_for_operators_needs_admin() -> None:
    assert set(access("ExchangeService").values()) == {"admin"}


def test_orders_are_changed_by_who_may_trade_and_read_by_who_may_read() -> None:
    changing = {"PlaceOrder", "CancelOrder", "ReplaceOrder"}
    found = access("OrderService")

    assert changing <= set(found)
    assert {found[method] for method in changing} == {"trade"}
    assert {scope for method, scope in found.items() if method not in changing} <= {"read", "trade"}


def test_prices_need_a_token_unless_they_are_made_public() -> None:
    assert set(access("PriceService").values()) == {"read"}
