"""Settings of a process: a frozen record, read once from the environment, passed down. A wrong one stops the start."""

import os
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.tls import Tls

# RFC 7518 §3.2: an HS256 key has at least as many bits as the hash.
MIN_SECRET_BYTES = 32
# What each of the two streams on which orders travel may hold, on one machine.
ORDER_BYTES = 4 << 30
# Keys travel in the clear only on the machine itself.
KEY_ADDRESSES = ("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:")


class SettingsError(Exception):
    """One or more settings are wrong; the text has a line for each."""


def prefixed(prefix: str) -> SettingsConfigDict:
    """Return the model configuration of a service whose settings start with `prefix`, for example ORDER_SVC_."""
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", populate_by_name=True)


@dataclass(frozen=True, slots=True)
class BusLogin:
    """How a process proves itself to NATS: a user and a password, or a file of credentials; and its TLS files."""

    user: str
    password: SecretStr
    credentials: str = ""
    tls: Tls = field(default_factory=Tls)


@dataclass(frozen=True, slots=True)
class BusLayout:
    """How the broker keeps streams: on how many servers each, and the bytes of ORDER_COMMANDS and of ORDER_REPORTS."""

    replicas: int = 1
    order_bytes: int = ORDER_BYTES


class Settings(BaseSettings):
    """Settings that every process shares. Every default works on one machine; secrets have none."""

    model_config = prefixed("STOCKMESH_")

    # Refuses what is for development only: secrets shared by all, crash points.
    production: bool = Field(False, validation_alias="PRODUCTION")

    # Addresses may hold a user and a password, so they do not show when the settings are printed.
    nats_url: str = Field("nats://127.0.0.1:14222", validation_alias="NATS_URL", repr=False)
    nats_user: str = Field("", validation_alias="NATS_USER")
    nats_password: SecretStr = Field(SecretStr(""), validation_alias="NATS_PASSWORD")
    nats_creds: str = Field("", validation_alias="NATS_CREDS")
    nats_replicas: int = Field(1, ge=1, le=5, validation_alias="NATS_REPLICAS")
    nats_order_bytes: int = Field(ORDER_BYTES, ge=1 << 20, validation_alias="NATS_ORDER_BYTES")
    redis_url: str = Field("redis://127.0.0.1:16379/0", validation_alias="REDIS_URL", repr=False)
    mongo_driver: Literal["motor", "pymongo"] = Field("motor", validation_alias="MONGO_DRIVER")

    # Who may come in: tokens of the identity provider (JWKS), of development (secret), and partners by their certificate.
    jwt_jwks: str = Field("", validation_alias="JWT_JWKS")
    jwt_jwks_refresh_seconds: float = Field(300.0, ge=1, le=86_400, validation_alias="JWT_JWKS_REFRESH_SECONDS")
    jwt_secret: SecretStr = Field(SecretStr(""), validation_alias="JWT_SECRET")
    jwt_issuer: str = Field("stockmesh", validation_alias="JWT_ISSUER")
    jwt_audience: str = Field("stockmesh", validation_alias="JWT_AUDIENCE")
    jwt_leeway_seconds: float = Field(5.0, ge=0, le=60, validation_alias="JWT_LEEWAY_SECONDS")
    partners_file: str = Field("", validation_alias="PARTNERS_FILE")

    # One certificate for serving and for calling others.
    tls_cert: str = Field("", validation_alias="TLS_CERT")
    tls_key: str = Field("", validation_alias="TLS_KEY")
    tls_ca: str = Field("", validation_alias="TLS_CA")
    grpc_tls: Literal["off", "on", "mutual"] = Field("off", validation_alias="GRPC_TLS")
    grpc_client_ca: str = Field("", validation_alias="GRPC_CLIENT_CA")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", validation_alias="LOG_LEVEL")
    log_format: Literal["json", "pretty", "auto"] = Field("auto", validation_alias="LOG_FORMAT")
    stop_grace_seconds: float = Field(5.0, gt=0, le=300, validation_alias="STOP_GRACE_SECONDS")
    reflection: bool = Field(True, validation_alias="GRPC_REFLECTION")
    loop_limit_seconds: float = Field(15.0, gt=0, le=600, validation_alias="LOOP_LIMIT_SECONDS")
    metrics_host: str = Field("127.0.0.1", min_length=1, validation_alias="METRICS_HOST")
    metrics_port: int = Field(0, ge=0, le=65535, description="port of /metrics on METRICS_HOST; 0 means none")
    crash_at: str = Field("", pattern=r"^(K\d{1,2}(:[1-9]\d{0,5})?)?$", validation_alias="CRASH_AT")

    @property
    def tls(self) -> Tls:
        """The files of this process's certificate and of the authorities that it trusts."""
        return Tls(self.tls_cert, self.tls_key, self.tls_ca)

    @property
    def nats_login(self) -> BusLogin:
        """How this process proves itself to NATS."""
        return BusLogin(self.nats_user, self.nats_password, self.nats_creds, self.tls)

    @property
    def nats_layout(self) -> BusLayout:
        """How the broker is to keep our streams."""
        return BusLayout(self.nats_replicas, self.nats_order_bytes)

    @property
    def grpc_server_tls(self) -> Tls | None:
        """How the gRPC door is served: None is plain TCP, and a Tls with `ca` asks every caller for a certificate."""
        if self.grpc_tls == "off":
            return None
        ca = (self.grpc_client_ca or self.tls_ca) if self.grpc_tls == "mutual" else ""
        return Tls(self.tls_cert, self.tls_key, ca)

    @property
    def grpc_client_tls(self) -> Tls | None:
        """How other services' gRPC doors are called; None is plain TCP."""
        return None if self.grpc_tls == "off" else self.tls

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        problems = [*self._problems_of_links(), *self._problems_of_tokens()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems_of_links(self) -> list[str]:
        asks_for_certificates = self.grpc_tls == "mutual"
        checks = {
            "TLS_CERT and TLS_KEY go together": bool(self.tls_cert) != bool(self.tls_key),
            "GRPC_TLS: needs TLS_CERT and TLS_KEY": self.grpc_tls != "off" and not self.tls_cert,
            "GRPC_TLS: mutual needs TLS_CA or GRPC_CLIENT_CA": asks_for_certificates
            and not (self.tls_ca or self.grpc_client_ca),
            "PARTNERS_FILE: needs GRPC_TLS=mutual": bool(self.partners_file) and not asks_for_certificates,
            "NATS_USER and NATS_PASSWORD go together": bool(self.nats_user)
            != bool(self.nats_password.get_secret_value()),
            "NATS_CREDS: takes the place of NATS_USER": bool(self.nats_creds) and bool(self.nats_user),
        }
        return [words for words, is_wrong in checks.items() if is_wrong]

    def _problems_of_tokens(self) -> list[str]:
        secret = self.jwt_secret.get_secret_value()
        checks = {
            f"JWT_SECRET: must have at least {MIN_SECRET_BYTES} bytes": 0 < len(secret.encode()) < MIN_SECRET_BYTES,
            "JWT_JWKS: a path, an https address, or an http address of this machine": "://" in self.jwt_jwks
            and not self.jwt_jwks.startswith(KEY_ADDRESSES),
            "JWT_SECRET: is for development, PRODUCTION refuses it": self.production and bool(secret),
            "JWT_JWKS: PRODUCTION needs it": self.production and not self.jwt_jwks,
            "CRASH_AT: is for fault tests, PRODUCTION refuses it": self.production and bool(self.crash_at),
        }
        return [words for words, is_wrong in checks.items() if is_wrong]


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
        problems += [_line(kind, prefix, item["loc"], item["msg"]) for item in error.errors()]
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _line(kind: type[Settings], prefix: str, location: tuple[int | str, ...], message: str) -> str:
    """Return a problem as the environment knows it; what concerns several settings names them itself."""
    words = message.removeprefix("Value error, ")
    return f"{_variable(kind, prefix, location)}: {words}" if location else words


def _variable(kind: type[Settings], prefix: str, location: tuple[int | str, ...]) -> str:
    """Return the environment variable that a validation error speaks of."""
    name = str(location[0]) if location else ""
    field = kind.model_fields.get(name)
    if field is None:
        return name
    return str(field.validation_alias) if field.validation_alias else f"{prefix}{name}".upper()
