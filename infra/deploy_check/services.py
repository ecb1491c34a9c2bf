"""What the code says of each of our programs: which module, which variables it takes, where it listens by default."""

import importlib
import os
from collections.abc import Mapping
from functools import cache
from unittest.mock import patch

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from infra.deploy_check.documents import ROOT
from infra.local.settings import LocalSettings
from runtime.settings import Settings

# Programs that take the settings of the machine instead of a service's own.
LOCAL = {"infra.container.gateway": LocalSettings}
SOME_SECRET = "s" * 64
SERVERS = {"edge", "price_svc", "order_svc", "exchange_gw", "infra.exchange_sim"}


class NoProgram(Exception):
    """The image has no such program."""


def module_of(command: list[str]) -> str | None:
    """Return the module that a command starts with Python; None for other programs. Raises NoProgram if we have none such."""
    if len(command) < 3 or command[:2] != ["python", "-m"]:  # noqa: PLR2004 - python -m module
        return None
    path = ROOT.joinpath(*command[2].split("."))
    if not (path / "__main__.py").is_file() and not path.with_suffix(".py").is_file():
        raise NoProgram(f"there is no program {command[2]}")
    return command[2]


@cache
def settings_of(module: str) -> type[BaseSettings]:
    """Return the class of a program's settings.

    It is looked up by the name that a manifest gives: this room may not depend on a service, and a service that is not there is a
    finding, not an error. Raises NoProgram.
    """
    if module in LOCAL:
        return LOCAL[module]
    try:
        room = importlib.import_module(f"{module}.settings")
    except ModuleNotFoundError:
        raise NoProgram(f"{module} has no settings") from None
    for thing in vars(room).values():
        if isinstance(thing, type) and issubclass(thing, Settings) and thing.__module__ == room.__name__:
            return thing
    raise NoProgram(f"{module}.settings has no settings")


@cache
def variables(module: str) -> frozenset[str]:
    """Return every variable that a program reads."""
    kind = settings_of(module)
    prefix = str(kind.model_config.get("env_prefix", ""))
    return frozenset(
        str(field.validation_alias) if field.validation_alias else f"{prefix}{name}".upper()
        for name, field in kind.model_fields.items()
    )


def refused(module: str, given: Mapping[str, str]) -> list[str]:
    """Return what a program's settings say against these variables, when they are all that it gets.

    Empty ones are secrets, which nobody knows here: something long takes their place.
    """
    kind = settings_of(module)
    told = {name: value or SOME_SECRET for name, value in given.items()}
    with patch.dict(os.environ, told, clear=True):
        try:
            kind()
        except ValidationError as error:
            return [f"{'.'.join(map(str, item['loc']))}: {' '.join(item['msg'].split())}" for item in error.errors()]
    return []


@cache
def port(module: str) -> int:
    """Return where a program listens when nothing else is said: the contract's port."""
    return int(settings_of(module).model_fields["port"].default)


@cache
def stop_grace(module: str) -> float:
    """Return how long a program's running calls get by default, in seconds."""
    return float(settings_of(module).model_fields["stop_grace_seconds"].default)


@cache
def sources(room: str) -> str:
    """Return all code of a room as one text."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / room).glob("*.py")))


def has_durable(name: str) -> bool:
    """Tell whether a service's code makes a consumer of this name: `<room>-<words>`, a number at its end may be put in."""
    room = name.split("-", maxsplit=1)[0]
    if not (ROOT / room).is_dir():
        return False
    head, _, tail = name.rpartition("-")
    candidates = [f'"{name}"'] + ([f'"{head}-{{'] if tail.isdigit() else [])
    return any(candidate in sources(room) for candidate in candidates)
