"""Bad input: each its documented code and reason, the socket stays up, nothing is stored, the key stays free."""

import json

import pytest
import websockets

from infra.local.running import System
from tests.socket_client import Refused, Socket, connected

ORDER = {
    "clientOrderId": "k1",
    "symbol": "AAPL",
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "10",
    "limitPrice": "1.00",
}


def place(**changes: object) -> str:
    params = {name: value for name, value in {**ORDER, **changes}.items() if value is not None}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "orders.place", "params": params})


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("{", -32700, None),
        ('{"jsonrpc": "2.0", "id": 1}', -32600, None),
        ('{"jsonrpc": "2.0", "id": 1, "method": "orders.plaze", "params": {}}', -32601, None),
        ('{"jsonrpc": "2.0", "id": 1, "method": "orders.place", "params": ["AAPL"]}', -32602, None),
        (place(symbol=None), None, None),
        (place(quantity="ten"), -32602, None),
        (place(colour="red"), -32602, None),
        (place(limitPrice=190.12), -32602, None),
        (place().replace('"10"', "NaN"), None, None),
        (place(symbol="NOSUCH"), -32000, "UNKNOWN_SYMBOL"),
        (place(limitPrice="190.1234567"), -32000, "INVALID_MONEY"),
        (place(limitPrice="190.001"), -32000, "PRICE_OFF_TICK"),
        (place(quantity="0"), -32000, "INVALID_QUANTITY"),
        (place(quantity="99999999"), -32000, "QUANTITY_TOO_LARGE"),
        (place(limitPrice=None), -32000, "LIMIT_PRICE_REQUIRED"),
        (place(type="MARKET"), -32000, "LIMIT_PRICE_FORBIDDEN"),
        (place(clientOrderId="a key"), -32000, "INVALID_CLIENT_ORDER_ID"),
    ],
)
async def test_a_bad_frame_gets_its_error_and_changes_nothing(
    socket: Socket, text: str, code: int | None, reason: str | None
) -> None:
    broken = text == "{" or "NaN" in text
    answer = await socket.ask_raw(text, None if broken else 1)

    error = answer["error"]
    assert code is None or error["code"] == code, error
    assert error["message"]
    assert reason is None or error["data"]["reason"] == reason, error
    if reason:
        assert error["data"]["outcome"] == "NOT_EXECUTED"
    assert (await socket.ask("orders.list"))["orders"] == []
    assert not (await socket.ask("orders.place", **ORDER))["replayed"]


@pytest.mark.parametrize("token", ["nonsense", ""])
async def test_a_bad_token_is_refused(system: System, token: str) -> None:
    async with connected(system.where.websocket, None) as socket:
        with pytest.raises(Refused) as refusal:
            await socket.ask("session.authenticate", token=token)
    assert refusal.value.reason in ("TOKEN_INVALID", "TOKEN_MISSING")


async def test_a_socket_without_a_token_learns_so_and_is_closed(system: System) -> None:
    async with connected(system.where.websocket, None) as socket:
        with pytest.raises(Refused):
            await socket.ask("orders.list")
        with pytest.raises(websockets.ConnectionClosed):
            await socket.until("orders.update")
