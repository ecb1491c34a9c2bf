"""Settings of a process: a frozen record, read once from the environment, passed down. A wrong one stops the start."""

import os
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """One or more settings are wrong; the text has a line for each."""


def prefixed(prefix: str) -> SettingsConfigDict:
    """Return the model configuration of a service whose settings start with `prefix`, for example ORDER_SVC_."""
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", populate_by_name=True)


class Settings(BaseSettings):
    """Settings that every process shares. Every default works on one machine; secrets have none."""

    model_config = prefixed("STOCKMESH_")

    nats_url: str = Field("nats://127.0.0.1:14222", validation_alias="NATS_URL")
    redis_url: str = Field("redis://127.0.0.1:16379/0", validation_alias="REDIS_URL")
    mongo_driver: Literal["motor", "pymongo"] = Field("motor", validation_alias="MONGO_DRIVER")
    jwt_secret: SecretStr = Field(SecretStr(""), validation_alias="JWT_SECRET")
    jwt_issuer: str = Field("stockmesh", validation_alias="JWT_ISSUER")
    jwt_audience: str = Field("stockmesh", validation_alias="JWT_AUDIENCE")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", validation_alias="LOG_LEVEL")
    log_format: Literal["json", "pretty", "auto"] = Field("auto", validation_alias="LOG_FORMAT")
    stop_grace_seconds: float = Field(5.0, gt=0, le=300, validation_alias="STOP_GRACE_SECONDS")
    reflection: bool = Field(True, validation_alias="GRPC_REFLECTION")
    loop_limit_seconds: float = Field(15.0, gt=0, le=600, validation_alias="LOOP_LIMIT_SECONDS")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of /metrics on 127.0.0.1; 0 means none")
    crash_at: str = Field("", pattern=r"^(K\d{1,2}(:[1-9]\d{0,5})?)?$", validation_alias="CRASH_AT")


S = TypeVar("S", bound=Settings)


def load(kind: type[S]) -> S:
    """Return the settings that the environment gives.

    Raises SettingsError that names every unknown variable with the service's prefix and every bad value, all at once; values
    are not repeated, as one may be a secret.
    """
    prefix = str(kind.model_config.get("env_prefix", "")).upper()
    known = {f"{prefix}{name}".upper() for name, field in kind.model_fields.items() if not field.validation_alias}
    problems = [
        f"{name}: no such setting" for name in sorted(os.environ) if name.startswith(prefix) and name not in known
    ]
    try:
        settings = kind()
    except ValidationError as error:
        problems += [f"{_variable(kind, prefix, item['loc'])}: {item['msg']}" for item in error.errors()]
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _variable(kind: type[Settings], prefix: str, location: tuple[int | str, ...]) -> str:
    """Return the environment variable that a validation error speaks of."""
    name = str(location[0]) if location else ""
    field = kind.model_fields.get(name)
    if field is None:
        return name
    return str(field.validation_alias) if field.validation_alias else f"{prefix}{name}".upper()
