"""Answers and errors as clients read them."""

import json
from typing import Any

import pytest

from edge import replies
from runtime.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    NotFound,
    ResourceExhausted,
    TradingError,
    Unavailable,
)


def data_of(error: TradingError, *, has_effect: bool) -> dict[str, Any]:
    response = json.loads(replies.refusal(b"1", error, has_effect=has_effect))
    assert (response["error"]["code"], response["id"], response["jsonrpc"]) == (-32000, 1, "2.0")
    told: dict[str, Any] = response["error"]["data"]
    return told


@pytest.mark.parametrize(
    ("error", "has_effect", "outcome", "retry", "after_ms"),
    [
        (NotFound("no"), True, "NOT_EXECUTED", "never", 0),
        (FailedPrecondition("no"), True, "NOT_EXECUTED", "never", 0),
        (FailedPrecondition("later", retry_after_seconds=2), True, "NOT_EXECUTED", "after", 2000),
        (ResourceExhausted("busy"), True, "NOT_EXECUTED", "after", 1000),
        (Unavailable("away", retry_after_seconds=0.25), False, "NOT_EXECUTED", "after", 250),
        (DeadlineExceeded("late"), True, "UNKNOWN", "same_key", 0),
        (DeadlineExceeded("late"), False, "NOT_EXECUTED", "after", 1000),
        (Internal("broken"), True, "UNKNOWN", "same_key", 0),
        (Internal("broken"), False, "NOT_EXECUTED", "never", 0),
    ],
)
def test_an_error_says_what_became_of_the_request_and_whether_to_ask_again(
    error: TradingError, has_effect: bool, outcome: str, retry: str, after_ms: int
) -> None:
    data = data_of(error, has_effect=has_effect)
    assert (data["outcome"], data["retry"], data["retryAfterMs"]) == (outcome, retry, after_ms)


def test_details_are_spelt_as_the_client_spells_its_fields() -> None:
    error = FailedPrecondition("off tick", field="limit_price", tick_size="0.01", actual="1.001")
    assert data_of(error, has_effect=True)["details"] == {"field": "limitPrice", "tickSize": "0.01", "actual": "1.001"}


def test_results_and_notifications_are_json_rpc() -> None:
    assert json.loads(replies.result(b'"k"', b'{"a":1}')) == {"jsonrpc": "2.0", "result": {"a": 1}, "id": "k"}
    assert json.loads(replies.notification("m", b"{}")) == {"jsonrpc": "2.0", "method": "m", "params": {}}
    assert json.loads(replies.batch([replies.result(b"1", b"{}"), replies.result(b"2", b"{}")]))[1]["id"] == 2


def test_what_breaks_here_has_an_unknown_outcome() -> None:
    error = json.loads(replies.internal(b"1", request_id="s-1"))["error"]
    assert (error["code"], error["message"], error["data"]["outcome"]) == (-32603, "Internal error", "UNKNOWN")
    assert error["data"]["details"] == {"requestId": "s-1"}
