"""docs/protocol.md tells every reason, close code, method and setting that there is."""

import re
from pathlib import Path

import pytest

from edge.closing import Close
from edge.settings import EdgeSettings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "protocol.md").read_text()
ROOMS = ("edge", "order_svc", "price_svc", "runtime")


def said_in(pattern: str, *rooms: str) -> set[str]:
    """Return what a pattern finds in the source of some rooms."""
    return {
        found
        for room in rooms
        for file in (ROOT / room).rglob("*.py")
        for found in re.findall(pattern, file.read_text())
    }


@pytest.mark.parametrize("reason", sorted(said_in(r'\n    reason(?:: str)? = "([A-Z_]+)"', *ROOMS)))
def test_every_reason_is_told(reason: str) -> None:
    assert f"`{reason}`" in PAGE


@pytest.mark.parametrize("reason", sorted(said_in(r'Fault\(\w+, "([A-Z_]+)"|"([A-Z_]+)"\),\n', "edge")))
def test_every_reason_of_a_bad_frame_is_told(reason: tuple[str, str]) -> None:
    assert f"`{''.join(reason)}`" in PAGE


@pytest.mark.parametrize("why", Close)
def test_every_close_code_is_told(why: Close) -> None:
    assert f"| {why.code} | {why.name} |" in PAGE


@pytest.mark.parametrize("method", sorted(said_in(r'"((?:session|prices|orders|market|instruments)\.[a-z]+)"', "edge")))
def test_every_method_and_notification_is_told(method: str) -> None:
    assert f"`{method}" in PAGE


@pytest.mark.parametrize("limit", [name for name in EdgeSettings.model_fields if name.startswith("max_")])
def test_every_limit_is_told(limit: str) -> None:
    assert f"EDGE_{limit.upper()}" in PAGE
