"""docs/operations.md says every setting with its default, and nothing that does not exist."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from edge.settings import EdgeSettings
from exchange_gw.settings import ExchangeGwSettings
from infra.exchange_sim.settings import ExchangeSimSettings
from order_svc.settings import OrderSettings
from price_svc.settings import PriceSettings
from runtime.settings import Settings
from runtime.subjects import STREAMS

ROOT = Path(__file__).parents[2]
KINDS = (Settings, OrderSettings, PriceSettings, ExchangeGwSettings, EdgeSettings, ExchangeSimSettings)


def documented() -> dict[str, str]:
    """Return the default that the document gives for each variable."""
    text = (ROOT / "docs" / "operations.md").read_text()
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", text.split("## Settings")[1].split("## Streams")[0], re.M))


def existing(kind: type[Settings]) -> dict[str, str]:
    """Return the default of each variable of a service."""
    # What all share has one name for all, but for what each process needs for itself, like a port.
    own = {
        name: field
        for name, field in kind.model_fields.items()
        if (kind is Settings and field.validation_alias) or (kind is not Settings and _is_own(name))
    }
    prefix = str(kind.model_config["env_prefix"])
    return {
        str(field.validation_alias or f"{prefix}{name}".upper()): _shown(field.default) for name, field in own.items()
    }


def _is_own(name: str) -> bool:
    shared = Settings.model_fields.get(name)
    return shared is None or not shared.validation_alias


def _shown(default: Any) -> str:
    value = default.get_secret_value() if isinstance(default, SecretStr) else default
    if isinstance(value, Path) and value.is_absolute():
        value = value.relative_to(ROOT)
    return f"`{value}`" if value not in ("", ()) else "none"


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_documented_with_its_default(kind: type[Settings]) -> None:
    known = documented()

    assert existing(kind) == {name: known.get(name) for name in existing(kind)}


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(documented()) == {name for kind in KINDS for name in existing(kind)}


def test_every_stream_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()

    assert [name for name in STREAMS if f"| `{name}` |" not in text] == []
