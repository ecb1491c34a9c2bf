"""The two ways in which a kustomization changes an object: a list of operations, or a piece of the object as it should be."""

from typing import Any

from infra.deploy_check.documents import Tree

# By what an element of a list is known, where Kubernetes merges lists and does not replace them.
KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}


class Unpatchable(Exception):
    """A patch does not fit its object."""


def apply_json(item: Tree, operations: list[Tree]) -> None:
    """Change an object by the operations of RFC 6902 that we use: add, replace, remove. Raises Unpatchable."""
    for operation in operations:
        path = operation["path"]
        steps = [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]
        try:
            place: Any = item
            for step in steps[:-1]:
                place = place[int(step)] if isinstance(place, list) else place[step]
            _change(place, steps[-1], operation)
        except (KeyError, IndexError, ValueError, TypeError):
            name = f"{item['kind']} {item['metadata']['name']}"
            raise Unpatchable(f"{operation['op']} {path} does not fit {name}") from None


def _change(place: Any, last: str, operation: Tree) -> None:
    match operation["op"], place:
        case "add", list():
            place.insert(len(place) if last == "-" else int(last), operation["value"])
        case "add", dict():
            place[last] = operation["value"]
        case "replace", list():
            place[int(last)] = operation["value"]
        case "replace", dict():
            place[last]  # what is not there cannot be replaced
            place[last] = operation["value"]
        case "remove", list():
            del place[int(last)]
        case "remove", dict():
            del place[last]
        case _:
            raise ValueError(operation["op"])


def merge(item: Any, change: Any, *, field: str = "") -> Any:
    """Return an object with a piece of it laid over: maps and known lists are merged, the rest is replaced, null removes."""
    if isinstance(item, dict) and isinstance(change, dict):
        for name, value in change.items():
            if value is None:
                item.pop(name, None)
            else:
                item[name] = merge(item.get(name), value, field=name)
        return item
    key = KEYS.get(field)
    if key and isinstance(item, list) and isinstance(change, list):
        places = {element[key]: number for number, element in enumerate(item)}
        for element in change:
            if element[key] in places:
                number = places[element[key]]
                item[number] = merge(item[number], element)
            else:
                item.append(element)
        return item
    return change
