"""The AsyncAPI 3.0 document of the socket as the edge sees it: it receives requests, and sends answers and news. Pure."""

import re
from pathlib import Path
from typing import Any, get_args

import yaml
from msgspec import structs

from edge import frames
from edge.asyncapi.schemas import TEXT, WHOLE, Messages, Schema, array, parameters, record, ref
from edge.asyncapi.surface import LAST_PRICE, NOTIFICATIONS, RESULTS, said
from edge.closing import Close
from edge.params import PARAMS
from edge.replies import Retry
from gen.trading.v1.price_pb2 import Quote
from runtime.errors import Outcome

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
CODES = {
    frames.PARSE_ERROR: "The frame is not JSON; the answer's id is null.",
    frames.INVALID_REQUEST: "The frame is no JSON-RPC 2.0 request.",
    frames.METHOD_NOT_FOUND: "There is no such method.",
    frames.INVALID_PARAMS: "The parameters are not the method's.",
    frames.INTERNAL_ERROR: "Something broke on our side; the log has it under details.requestId.",
    frames.APPLICATION_ERROR: "Refused; data.reason says why.",
}
ID: Schema = {
    "description": "Comes back exactly as it was written.",
    "anyOf": [{"type": "string", "maxLength": frames.MAX_ID_BYTES}, {"type": "number"}, {"type": "null"}],
}
VERSION: Schema = {"const": "2.0"}


def text() -> str:
    """Return the document as YAML."""
    body = yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return f"# Written by `python -m edge.asyncapi`; docs/protocol.md says the same for people.\n{body}"


def document() -> dict[str, Any]:
    """Return the document."""
    messages = Messages()
    described = _described(messages)
    last_price = messages.part_of(Quote.DESCRIPTOR, LAST_PRICE) | {"description": "A quote in the mode LTP."}
    told = {**messages.schemas, "LastPrice": last_price, "Error": _error()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Stockmesh socket",
            "version": "1.0.0",
            "description": "JSON-RPC 2.0 over one WebSocket: prices and orders both ways. docs/protocol.md explains it.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"gateway": _server("localhost:8080"), "edge": _server("localhost:8081")},
        "channels": {
            "socket": {
                "address": "/ws",
                "description": "One text frame a message. Close codes 4000 to 4499 mean connect again, 4500 to 4999 do not.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in described},
                "x-close-codes": [{"code": why.code, "name": why.name, "words": why.words} for why in Close],
            }
        },
        "operations": _operations(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "messages": described,
            "schemas": {"Id": ID, **parameters(), **dict(sorted(told.items()))},
        },
        "x-reasons": reasons(),
    }


def reasons() -> list[str]:
    """Return the reasons that docs/protocol.md tells; tests see to it that it tells all."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Reasons")[2].partition("\n### Why an order")[0]
    cells = re.findall(r"^\| ((?:`[A-Z0-9_]+` ?)+)\|", section, re.MULTILINE)
    return sorted({reason for cell in cells for reason in re.findall(r"[A-Z0-9_]+", cell)})


def _described(messages: Messages) -> dict[str, Schema]:
    """Return every message by name: requests, their results, notifications, batches and errors."""
    described: dict[str, Schema] = {}
    for method, told in RESULTS.items():
        answer = record({"jsonrpc": VERSION, "result": said(told, messages), "id": ref("Id")})
        described[method] = _message(told.words, _request(method))
        described[f"{method}.result"] = _message(f"Answers {method}.", answer)
    for method, told in NOTIFICATIONS.items():
        news = record({"jsonrpc": VERSION, "method": {"const": method}, "params": said(told, messages)})
        described[method] = _message(told.words, news)
    requests = [_payload(method) for method in RESULTS]
    answers = [*(_payload(f"{method}.result") for method in RESULTS), ref("Error")]
    described["batch"] = _message("Several requests in one frame.", _some(requests))
    described["batch.result"] = _message("Answers a batch, in any order, when all of it is done.", _some(answers))
    described["error"] = _message("Answers a request that is refused, or a frame that cannot be read.", ref("Error"))
    return described


def _request(method: str) -> Schema:
    kind = PARAMS[method]
    properties = {"jsonrpc": VERSION, "method": {"const": method}, "params": ref(kind.__name__), "id": ref("Id")}
    # Without an id an order method is ignored.
    optional = set() if method.startswith("orders.") else {"id"}
    if not any(field.required for field in structs.fields(kind)):
        optional.add("params")
    return record(properties, optional=optional)


def _error() -> Schema:
    told = record(
        {
            "reason": TEXT | {"description": "Stable; x-reasons lists all."},
            "outcome": {"type": "string", "enum": [outcome.value for outcome in Outcome]},
            "retry": {"type": "string", "enum": list(get_args(Retry))},
            "retryAfterMs": WHOLE,
            "details": {"type": "object", "description": "What a program needs: field, limit, actual and so on."},
        }
    )
    codes = [{"const": code, "description": words} for code, words in CODES.items()]
    error = record({"code": {"type": "integer", "oneOf": codes}, "message": TEXT, "data": told})
    return record({"jsonrpc": VERSION, "error": error, "id": ref("Id")})


def _operations() -> dict[str, Schema]:
    batch = {"batch": ("batch.result", "error")}
    calls = {method: (f"{method}.result", "error") for method in RESULTS} | batch
    channel = {"$ref": "#/channels/socket"}
    asked = {
        name: {
            "action": "receive",
            "channel": channel,
            "messages": [_member(name)],
            "reply": {"channel": channel, "messages": [_member(answer) for answer in answers]},
        }
        for name, answers in calls.items()
    }
    told = {name: {"action": "send", "channel": channel, "messages": [_member(name)]} for name in NOTIFICATIONS}
    return asked | told


def _member(name: str) -> Schema:
    return {"$ref": f"#/channels/socket/messages/{name}"}


def _payload(name: str) -> Schema:
    return {"$ref": f"#/components/messages/{name}/payload"}


def _some(items: list[Schema]) -> Schema:
    return array({"anyOf": items}) | {"minItems": 1}


def _server(host: str) -> Schema:
    return {"host": host, "protocol": "ws", "security": [{"$ref": "#/components/securitySchemes/token"}]}


def _message(words: str, payload: Schema) -> Schema:
    return {"summary": words, "payload": payload}


class _Plain(yaml.CSafeDumper):
    """Writes every value out: an anchor in the place of a value helps no reader."""

    def ignore_aliases(self, data: object) -> bool:
        """Write it out."""
        return True
