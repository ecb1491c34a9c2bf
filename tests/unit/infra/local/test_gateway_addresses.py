"""Where the gateway sends to: the services of this machine, or as many replicas as the settings name."""

import pytest
from pydantic import ValidationError

from infra.local.gateway import backends, endpoints
from infra.local.settings import LocalSettings


def test_the_services_of_this_machine_are_behind_it_unless_told_otherwise() -> None:
    behind = backends(LocalSettings.model_validate({"edge_port": 1, "price_svc_host": "0.0.0.0"}))  # noqa: S104 - not listened on

    assert (behind.edge, behind.price_svc) == (["127.0.0.1:1"], ["127.0.0.1:50051"])


def test_several_replicas_are_all_endpoints() -> None:
    behind = backends(LocalSettings.model_validate({"envoy_order_svc": "a:1, [::1]:2"}))

    assert behind.order_svc == ["a:1", "[::1]:2"]
    assert endpoints(behind.order_svc) == (
        '[{"endpoint": {"address": {"socket_address": {"address": "a", "port_value": 1}}}}, '
        '{"endpoint": {"address": {"socket_address": {"address": "::1", "port_value": 2}}}}]'
    )


@pytest.mark.parametrize("given", ["a", "a:", "a:1,,b:2", "a:1 b:2"])
def test_what_is_no_list_of_addresses_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        LocalSettings.model_validate({"envoy_edge": given})
