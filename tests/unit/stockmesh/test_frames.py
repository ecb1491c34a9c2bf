"""Frames of JSON-RPC 2.0: what is sent, what is understood, what is not."""

import json

import pytest

from stockmesh import Outcome, Refused, Retry, UnexpectedAnswer, frames


def test_a_request_is_written_as_the_specification_says() -> None:
    told = json.loads(frames.request(7, "prices.get", {"symbols": ["AAPL"]}))

    assert told == {"jsonrpc": "2.0", "id": 7, "method": "prices.get", "params": {"symbols": ["AAPL"]}}


def test_answers_and_notifications_are_told_apart() -> None:
    assert frames.parse('{"jsonrpc":"2.0","id":7,"result":null}') == frames.Answer(7)
    told = frames.parse('{"jsonrpc":"2.0","method":"prices.update","params":{"quotes":[]}}')
    assert told == frames.Notification("prices.update", {"quotes": []})


def refusal(text: str) -> Refused:
    answer = frames.parse(f'{{"jsonrpc":"2.0","id":1,"error":{text}}}')
    assert isinstance(answer, frames.Answer)
    assert answer.error is not None
    return answer.error


def test_an_error_of_the_protocol_says_which_field_is_wrong() -> None:
    data = '{"reason":"WRONG_TYPE","details":{"problem":"Expected str, got int","field":"symbol"}}'

    error = refusal(f'{{"code":-32602,"message":"Invalid params","data":{data}}}')

    assert (error.reason, error.message) == ("WRONG_TYPE", "symbol: Expected str, got int")
    assert (error.outcome, error.retry) == (Outcome.NOT_EXECUTED, Retry.NEVER)


def test_an_error_of_a_plain_server_has_a_reason_too() -> None:
    error = refusal('{"code":-32601,"message":"Method not found"}')

    assert (error.reason, error.message) == ("METHOD_NOT_FOUND", "Method not found")


def test_words_that_are_not_known_count_as_the_careful_default() -> None:
    error = refusal('{"code":-32000,"message":"no","data":{"reason":"X","outcome":"MAYBE","retry":"soon","details":7}}')

    assert (error.outcome, error.retry, error.details) == (Outcome.NOT_EXECUTED, Retry.NEVER, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{]",
        "7",
        "[]",
        '"text"',
        "{}",
        '{"jsonrpc":"1.0","id":1,"result":{}}',
        '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"2.0","result":{}}',
        '{"jsonrpc":"2.0","id":"one","result":{}}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_frame_is_told(text: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        frames.parse(text)


def test_close_codes_say_whether_to_come_again() -> None:
    assert not any(frames.is_final(code) for code in (1000, 1006, 1012, 4000, 4001, 4401, 4499, 5000))
    assert all(frames.is_final(code) for code in (4500, 4502, 4999))
