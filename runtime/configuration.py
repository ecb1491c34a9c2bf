"""The settings that a process would start with here: each value with where it comes from, secrets masked, and all that is wrong."""

import importlib
import os
import re
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from runtime.settings import Settings, SettingsError, load

DEFAULT, ENVIRONMENT = "default", "environment"
MASK = "******"
# Users and passwords of addresses, and what stands behind a question mark: passwords may be there, too.
LOGIN = re.compile(r"(?<=://)[^@/\s,]*@")
QUERY = re.compile(r"\?\S*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting: its variable, its value as a person may see it, and whether it is the default or from the environment."""

    variable: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a service would start with, and what keeps it from starting; none is good."""

    service: str
    entries: tuple[Entry, ...]
    problems: tuple[str, ...]


def configuration_of(service: str) -> Configuration:
    """Return the configuration of the service whose room has this name. Raises ModuleNotFoundError when there is none."""
    kind = _settings_of(service)
    try:
        load(kind)
        problems: list[str] = []
    except SettingsError as error:
        problems = str(error).splitlines()
    prefix = str(kind.model_config.get("env_prefix", ""))
    entries = (
        _entry(str(field.validation_alias or f"{prefix}{name}").upper(), field)
        for name, field in kind.model_fields.items()
    )
    return Configuration(service, tuple(sorted(entries, key=lambda entry: entry.variable)), tuple(problems))


def _settings_of(service: str) -> type[Settings]:
    # By its name only: this room knows no service.
    module = importlib.import_module(f"{service}.settings")
    (kind,) = (
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Settings) and found.__module__ == module.__name__
    )
    return kind


def _entry(variable: str, field: FieldInfo) -> Entry:
    given = os.environ.get(variable)
    value = field.get_default(call_default_factory=True) if given is None else given
    return Entry(variable, _shown(value, field), DEFAULT if given is None else ENVIRONMENT)


def _shown(value: Any, field: FieldInfo) -> str:
    text = value.get_secret_value() if isinstance(value, SecretStr) else "" if value is None else str(value)
    if "://" in text:
        text = LOGIN.sub(f"{MASK}@", text)
        return QUERY.sub(f"?{MASK}", text) if _is_secret(field) else text
    return MASK if text and _is_secret(field) else text


def _is_secret(field: FieldInfo) -> bool:
    return not field.repr or SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
