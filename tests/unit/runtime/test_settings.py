"""runtime/settings.py: a wrong setting stops the start, and says which."""

import pytest
from pydantic import Field, SecretStr

from runtime.settings import Settings, SettingsError, load, prefixed


class ProbeSettings(Settings):
    """Settings of a service that only tests know."""

    model_config = prefixed("PROBE_")

    port: int = Field(1234, ge=0, le=65535)
    password: SecretStr = SecretStr("")


def test_defaults_work_without_any_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NATS_URL", raising=False)

    assert load(ProbeSettings).port == 1234


def test_the_environment_gives_own_and_shared_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_PORT", "7")
    monkeypatch.setenv("NATS_URL", "nats://elsewhere:4222")

    settings = load(ProbeSettings)

    assert (settings.port, settings.nats_url) == (7, "nats://elsewhere:4222")


def test_all_problems_are_named_at_once_and_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_PORT", "seven-hunter2")
    monkeypatch.setenv("PROBE_PROT", "1")
    monkeypatch.setenv("LOG_LEVEL", "loud")

    with pytest.raises(SettingsError) as refusal:
        load(ProbeSettings)

    text = str(refusal.value)
    assert {line.split(":")[0] for line in text.splitlines()} == {"PROBE_PORT", "PROBE_PROT", "LOG_LEVEL"}
    assert "hunter2" not in text


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(Exception, match="frozen"):
        load(ProbeSettings).port = 1


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"JWT_SECRET": "short"}, "JWT_SECRET"),
        ({"PRODUCTION": "true"}, "JWT_JWKS"),
        ({"PRODUCTION": "true", "JWT_JWKS": "/keys.json", "JWT_SECRET": "x" * 32}, "JWT_SECRET"),
        ({"PRODUCTION": "true", "JWT_JWKS": "/keys.json", "CRASH_AT": "K9"}, "CRASH_AT"),
        ({"JWT_JWKS": "http://idp.example/jwks"}, "JWT_JWKS"),
        ({"JWT_JWKS": "http://127.0.0.1.idp.example/jwks"}, "JWT_JWKS"),
        ({"JWT_JWKS": "file:///etc/passwd"}, "JWT_JWKS"),
        ({"TLS_CERT": "a.pem"}, "TLS_CERT and TLS_KEY"),
        ({"GRPC_TLS": "on"}, "GRPC_TLS"),
        ({"GRPC_TLS": "mutual", "TLS_CERT": "a.pem", "TLS_KEY": "a.key"}, "GRPC_TLS"),
        ({"PARTNERS_FILE": "p.toml"}, "PARTNERS_FILE"),
        ({"NATS_USER": "edge"}, "NATS_USER and NATS_PASSWORD"),
        ({"NATS_USER": "edge", "NATS_PASSWORD": "hunter2", "NATS_CREDS": "x.creds"}, "NATS_CREDS"),
    ],
)
def test_settings_that_do_not_fit_together_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as refusal:
        load(ProbeSettings)

    lines = str(refusal.value).splitlines()
    assert any(line.startswith(named) for line in lines)
    assert "hunter2" not in str(refusal.value)


def test_production_takes_keys_of_the_identity_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCTION", "true")
    monkeypatch.setenv("JWT_JWKS", "https://idp.example/jwks")

    assert load(ProbeSettings).production


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET", "hunter2" * 5)
    monkeypatch.setenv("NATS_USER", "edge")
    monkeypatch.setenv("NATS_PASSWORD", "hunter2")
    monkeypatch.setenv("NATS_URL", "nats://edge:hunter2@127.0.0.1:4222")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1/0")

    settings = load(ProbeSettings)

    assert "hunter2" not in f"{settings!r} {settings} {settings.nats_login!r}"
