"""The names that a REST body may hold, read from the contract and written as tables for the gateway's script."""

import re
from collections.abc import Iterator
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

import infra
from gen.trading.v1 import order_pb2, price_pb2

SCRIPT = Path(infra.__file__).parent / "envoy" / "known_fields.lua"
FILES = (price_pb2.DESCRIPTOR, order_pb2.DESCRIPTOR)
# Their JSON is not an object with the message's own fields.
FREE_FORM = "google.protobuf."


def render() -> str:
    """Return the whole script: the tables of the contract, then the text that uses them."""
    methods = [row for file in FILES for row in _methods(file)]
    messages = {message.full_name: message for _, _, root in methods for message in _reachable(root)}
    lines = ["methods = {"]
    lines += [
        f'  {{ method = "{verb}", path = "{path}", message = "{root.full_name}" }},' for verb, path, root in methods
    ]
    lines += ["}", "messages = {"]
    for name, message in sorted(messages.items()):
        lines.append(f'  ["{name}"] = {{ {", ".join(_names(message))} }},')
    return "\n".join([*lines, "}", "", SCRIPT.read_text(encoding="utf-8")])


def _methods(file: FileDescriptor) -> Iterator[tuple[str, str, Descriptor]]:
    """Yield verb, path pattern and body of every method that takes a JSON body."""
    for service in file.services_by_name.values():
        for method in service.methods:
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            verb = rule.WhichOneof("pattern")
            if not rule.body:
                continue
            whole = method.input_type
            root = whole if rule.body == "*" else _nested(whole.fields_by_name[rule.body])
            if verb and root:
                yield verb.upper(), _pattern(getattr(rule, verb)), root


def _pattern(path: str) -> str:
    """Return a path template as a Lua pattern: `/orders/{order_id}` becomes `^/orders/[^/]+$`."""
    words = re.split(r"(\{[^}]*\})", path)
    return "^" + "".join("[^/]+" if word[:1] == "{" else re.sub(r"[^\w/]", r"%\g<0>", word) for word in words) + "$"


def _reachable(root: Descriptor) -> Iterator[Descriptor]:
    """Yield the message and every message that a field of it can hold."""
    waiting, found = [root], {root.full_name}
    while waiting:
        message = waiting.pop()
        yield message
        for field in message.fields:
            nested = _nested(field)
            if nested and nested.full_name not in found:
                found.add(nested.full_name)
                waiting.append(nested)


def _names(message: Descriptor) -> Iterator[str]:
    for field in message.fields:
        nested = _nested(field)
        kind = f'"{nested.full_name}"' if nested else "true"
        # The transcoder takes both spellings.
        for name in sorted({field.name, field.json_name}):
            yield f"{name} = {kind}"


def _nested(field: FieldDescriptor) -> Descriptor | None:
    """Return the message whose fields stand in the JSON object of this field; None when it has none or any."""
    message = field.message_type
    return None if message is None or message.full_name.startswith(FREE_FORM) else message
