"""Whether an object is one that its cluster would take: Kubernetes' own schemas, and ours for what operators add."""

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from infra.deploy_check.custom_kinds import CUSTOM
from infra.deploy_check.documents import Tree

# The oldest cluster that the manifests are for: the first in which the pause before the stop signal is a stable field.
VERSION = "1.34.0"


def judge(item: Tree) -> Iterator[str]:
    """Yield where an object does not fit its schema, strictly: an unknown field is an error."""
    name = f"{item.get('kind')} {item.get('metadata', {}).get('name')}"
    validator = _validator(str(item.get("apiVersion")), str(item.get("kind")))
    if validator is None:
        yield f"{name}: {item.get('apiVersion')} has no such kind that is known here"
        return
    for error in validator.iter_errors(item):
        yield f"{name}: {'.'.join(map(str, error.path))}: {error.message[:200]}"


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator | None:
    if (api_version, kind) in CUSTOM:
        return Draft202012Validator(CUSTOM[api_version, kind])
    group, _, version = api_version.rpartition("/")
    short = group.split(".")[0]
    file = _folder().joinpath(f"{kind.lower()}-{f'{short}-' if short else ''}{version}.json")
    if not file.is_file():
        return None
    return Draft202012Validator(json.loads(file.read_text("utf-8")), registry=_definitions())


def _folder() -> Any:
    return resources.files("kubernetes_validate").joinpath("kubernetes-json-schema", f"v{VERSION}-local-strict")


@cache
def _definitions() -> "Registry[Any]":
    contents = json.loads(_folder().joinpath("_definitions.json").read_text("utf-8"))
    resource: Resource[Any] = Resource.from_contents(contents)
    registry: Registry[Any] = Registry().with_resource(contents["$id"], resource)
    return registry
