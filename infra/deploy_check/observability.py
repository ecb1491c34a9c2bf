"""Dashboards, alert rules and the runbook: they may speak only of metrics that the table in docs/metrics.md names."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from infra.deploy_check.documents import INFRA, ROOT, Tree, Unreadable, read, short

FOLDER = INFRA / "observability"
METRICS = ROOT / "docs" / "metrics.md"
RUNBOOK = ROOT / "docs" / "runbook.md"
# What infra/container/envoy-figures.yaml opens.
GATEWAY = "envoy:9901"
ROW = re.compile(r"^\| `([a-z_:]+)` \| (counter|gauge|histogram) \| (.*?) \|", re.MULTILINE)
HEADING = re.compile(r"^### (\w+)$", re.MULTILINE)
# A name outside braces and strings that is no function, keyword or label list.
WORD = re.compile(r"(?<![\w:$\"])([a-zA-Z_:][\w:]*)(?![\w:]*\s*\()")
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan", "group_left", "group_right"}
LABEL = re.compile(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"")
# Labels that Prometheus adds, and the buckets of a histogram.
EVERYWHERE = {"job", "instance", "le", "__name__"}
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def problems() -> Iterator[str]:
    """Yield what is wrong with what operators see."""
    table = known(METRICS.read_text(encoding="utf-8"))
    if not table:
        yield f"{short(METRICS)}: has no table of metrics"
    yield from _alerts(table)
    yield from _targets()
    for path in sorted((FOLDER / "dashboards").glob("*.json")):
        yield from (f"{short(path)}: {problem}" for problem in dashboard(path, table))


def _targets() -> Iterator[str]:
    """Yield the targets of Prometheus at which no part of the compose file answers."""
    parts: Tree = read(INFRA / "compose.yaml")[0]["services"]
    for job in read(FOLDER / "prometheus.yml")[0]["scrape_configs"]:
        for target in (each for found in job["static_configs"] for each in found["targets"]):
            name, _, port = target.partition(":")
            settings = parts.get(name, {}).get("environment", {})
            told = {str(value) for variable, value in settings.items() if variable.endswith("_METRICS_PORT")}
            if port not in told and target != GATEWAY:
                yield f"prometheus.yml: {target}: no part of the compose file answers there"


def known(text: str) -> dict[str, frozenset[str]]:
    """Return every name that a query may use, with its labels, from the tables of a page."""
    found: dict[str, frozenset[str]] = {}
    for name, kind, labels in ROW.findall(text):
        words = frozenset(re.findall(r"`(\w+)`", labels)) | EVERYWHERE
        found.update({f"{name}{suffix}": words for suffix in SUFFIXES[kind]})
    return found | {"up": frozenset(EVERYWHERE)}


def query(text: str, table: dict[str, frozenset[str]]) -> Iterator[str]:
    """Yield every name and label in a query that no program exports."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", " ", GROUPING.sub(" ", text))
    names = [word for word in WORD.findall(bare) if word not in KEYWORDS]
    yield from (f"nobody exports {name}" for name in sorted(set(names) - table.keys()))
    labels = frozenset().union(*(table.get(name, frozenset()) for name in names)) | EVERYWHERE
    asked = {label for part in re.findall(r"\{([^}]*)\}", text) for label in LABEL.findall(part)}
    for group in re.findall(r"\b(?:by|without|on)\s*\(([^)]*)\)", text):
        asked |= {label.strip() for label in group.split(",") if label.strip()}
    yield from (f"{' '.join(sorted(set(names)))} has no label {label}" for label in sorted(asked - labels))


def _alerts(table: dict[str, frozenset[str]]) -> Iterator[str]:
    path = FOLDER / "alerts.yml"
    try:
        rules = [rule for document in read(path) for group in document["groups"] for rule in group["rules"]]
    except Unreadable as error:
        yield str(error)
        return
    told = set(HEADING.findall(RUNBOOK.read_text(encoding="utf-8")))
    alerts = {rule["alert"] for rule in rules if "alert" in rule}
    recorded = {rule["record"]: frozenset(EVERYWHERE) for rule in rules if "record" in rule}
    for rule in rules:
        name = rule.get("alert") or rule["record"]
        yield from (f"{short(path)}: {name}: {problem}" for problem in query(rule["expr"], table | recorded))
        yield from (f"{short(path)}: {name}: {problem}" for problem in _manners(rule)) if "alert" in rule else ()
    yield from (f"{short(RUNBOOK)}: says nothing of {name}" for name in sorted(alerts - told))
    yield from (f"{short(RUNBOOK)}: {name} is no alert" for name in sorted(told - alerts))


def _manners(rule: Tree) -> Iterator[str]:
    if rule.get("labels", {}).get("severity") not in {"page", "ticket"}:
        yield "severity is page (somebody gets up) or ticket (somebody looks tomorrow)"
    annotations = rule.get("annotations", {})
    if not annotations.get("summary"):
        yield "has no summary"
    if annotations.get("runbook") != f"docs/runbook.md#{rule['alert'].lower()}":
        yield f"runbook should be docs/runbook.md#{rule['alert'].lower()}"


def dashboard(path: Path, table: dict[str, frozenset[str]]) -> Iterator[str]:
    """Yield what is wrong with a dashboard."""
    board: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if board.get("uid") != f"stockmesh-{path.stem}":
        yield f"uid should be stockmesh-{path.stem}"
    panels = board.get("panels", [])
    if len({panel["id"] for panel in panels}) != len(panels):
        yield "two panels have the same id"
    for panel in panels:
        yield from (f"{panel['title']}: {problem}" for problem in _panel(panel, table))


def _panel(panel: dict[str, Any], table: dict[str, frozenset[str]]) -> Iterable[str]:
    if not panel.get("description"):
        yield "has no description"
    for target in panel.get("targets", ()):
        yield from query(target["expr"].replace("$__rate_interval", "5m"), table)
