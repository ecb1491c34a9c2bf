"""YAML as it is written: every document of a file, keys that come twice refused."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

import infra

INFRA = Path(infra.__file__).parent
ROOT = INFRA.parent
# A document, or a part of one: maps with text for keys, lists, text, numbers.
Tree = dict[str, Any]


class Unreadable(Exception):
    """A file is no YAML, or a map has a key twice."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # which one there is depends on the wheel
    """Refuses a key that a map has already: YAML readers take the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            seen.add(key.value)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return found


def read(path: Path) -> list[Any]:
    """Return the documents of a file, empty ones left out. Raises Unreadable."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unreadable(f"{short(path)}: {error.strerror}") from None
    except Unreadable as error:
        raise Unreadable(f"{short(path)}: {error}") from None


def parse(text: str) -> list[Any]:
    """Return the documents of a text, empty ones left out. Raises Unreadable."""
    try:
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        raise Unreadable(" ".join(str(error).split())) from None


def short(path: Path) -> str:
    """Return a path as a reader of the repository would write it."""
    resolved = path.resolve()
    return str(resolved.relative_to(ROOT)) if resolved.is_relative_to(ROOT) else str(path)
