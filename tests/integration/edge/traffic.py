"""Frames of real conversations, compared with the document that describes them."""

from functools import cache
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from edge.asyncapi.document import document, reasons


@cache
def _registry() -> "Registry[Any]":
    known: Registry[Any] = Registry(resources={"urn:socket": DRAFT7.create_resource(document())})  # type: ignore[call-arg]
    return known


@cache
def _validator(name: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"urn:socket#/components/messages/{name}/payload"}, registry=_registry())


def check(name: str, frame: object) -> None:
    """Fail unless a frame is the message of that name."""
    problems = [f"{error.json_path}: {error.message}" for error in _validator(name).iter_errors(frame)]
    assert not problems, (name, problems, frame)


def check_answer(method: str, frame: dict[str, Any]) -> None:
    """Fail unless a frame is an answer to a method that the document knows."""
    if "error" in frame:
        check("error", frame)
        assert frame["error"]["data"]["reason"] in _reasons()
    else:
        check(f"{method}.result", frame)


@cache
def _reasons() -> frozenset[str]:
    return frozenset(reasons())
