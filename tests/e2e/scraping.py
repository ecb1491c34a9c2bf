"""What the processes of a running system tell at /metrics, and what docs/metrics.md says of it."""

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

import infra

SERVICES = ("edge", "price_svc", "order_svc", "exchange_gw")
PAGE = Path(infra.__file__).parents[1] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|([^|]*)\|[^|]*\|([^|]*)\|$", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """A metric of the page: its type, its labels, and the services that have it (empty: each of them)."""

    kind: str
    labels: frozenset[str]
    services: frozenset[str]


def page() -> dict[str, Row]:
    """Return the page's metrics of our own services by name."""
    rows = {}
    for name, kind, labels, who in ROW.findall(PAGE.read_text(encoding="utf-8")):
        services = frozenset(service for service in SERVICES if service in who)
        if services or who.strip() == "all":
            rows[name] = Row(kind, frozenset(re.findall(r"`(\w+)`", labels)), services)
    return rows


def scrape(address: str) -> dict[str, tuple[str, list[dict[str, str]]]]:
    """Return type and sets of labels of all that a process tells, by the name that queries use for it."""
    text = httpx.get(f"http://{address}/metrics", timeout=5).raise_for_status().text
    found: dict[str, tuple[str, list[dict[str, str]]]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        told = [dict(sample.labels) for sample in family.samples if not sample.name.endswith("_created")]
        found[name] = (family.type, told)
    return found
