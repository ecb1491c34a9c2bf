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
