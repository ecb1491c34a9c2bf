"""docs/asyncapi.yaml is what the edge serves, and an AsyncAPI 3.0 document."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from edge.asyncapi.__main__ import FILE
from edge.asyncapi.document import document, reasons, text
from edge.asyncapi.surface import NOTIFICATIONS, RESULTS
from edge.closing import Close
from edge.params import PARAMS

ROOT = Path(__file__).parents[3]
DOCUMENT = document()


def edge_says(pattern: str) -> set[Any]:
    sources = (file.read_text() for file in (ROOT / "edge").glob("*.py"))
    return {found for source in sources for found in re.findall(pattern, source)}


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def found(reference: str) -> Any:
    node: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def test_the_committed_file_is_what_the_command_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m edge.asyncapi"


def test_every_method_is_described_with_the_record_that_reads_it() -> None:
    served = edge_says(r'"([a-z]+(?:\.[a-z]+)?)": Served\(p\.reader\(p\.(\w+)\)')
    assert served == {(method, kind.__name__) for method, kind in PARAMS.items()}
    assert RESULTS.keys() == PARAMS.keys()


def test_every_notification_is_described() -> None:
    methods = {found for found in edge_says(r'"((?:session|prices|orders)\.[a-z]+)"') if found not in PARAMS}
    assert methods == NOTIFICATIONS.keys()


def test_every_close_code_and_reason_is_described() -> None:
    told = DOCUMENT["channels"]["socket"]["x-close-codes"]
    assert {(row["code"], row["name"]) for row in told} == {(why.code, why.name) for why in Close}
    assert {"NOT_JSON", "ORDER_NOT_FOUND", "INTERNAL", "TOKEN_EXPIRED"} <= set(reasons())


def test_the_document_has_the_form_of_asyncapi_3() -> None:
    """The rules of the specification's own JSON Schema that concern what is used here."""
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= server.keys()
    known = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
    assert {name for name in DOCUMENT if not name.startswith("x-")} <= known
    for part in DOCUMENT["components"].values():
        assert all(re.fullmatch(r"[\w.-]+", name) for name in part)
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"] == {"$ref": "#/channels/socket"}
        members = [*operation["messages"], *operation.get("reply", {}).get("messages", [])]
        assert all(member["$ref"].startswith("#/channels/socket/messages/") for member in members)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        assert found(reference)


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_schema_is_one(name: str) -> None:
    Draft7Validator.check_schema(DOCUMENT["components"]["schemas"][name])
    unreachable = f"#/components/schemas/{name}" not in set(references(DOCUMENT))
    assert not unreachable, "nothing refers to it"
