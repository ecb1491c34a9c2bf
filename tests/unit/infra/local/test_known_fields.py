"""Tests of infra/local/known_fields.py: the gateway's tables say what the contract says."""

from infra.local.known_fields import render


def test_every_method_with_a_body_is_there_with_its_path() -> None:
    script = render()

    assert '{ method = "POST", path = "^/orders$", message = "trading.v1.PlaceOrderRequest" }' in script
    assert '{ method = "POST", path = "^/orders%:preview$", message = "trading.v1.PreviewOrderRequest" }' in script
    assert '{ method = "PATCH", path = "^/orders/[^/]+$", message = "trading.v1.ReplaceOrderRequest" }' in script


def test_a_field_has_both_spellings_and_a_nested_message_its_name() -> None:
    script = render()

    assert "clientOrderId = true, client_order_id = true" in script
    assert '["trading.v1.PreviewOrderRequest"] = { order = "trading.v1.PlaceOrderRequest" }' in script
