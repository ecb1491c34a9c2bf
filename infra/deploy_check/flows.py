"""Whether the network lets through what has to pass, and nothing of what must not: policies against the table of lines."""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.deploy_check import services
from infra.deploy_check.documents import Tree

NAME = "app.kubernetes.io/name"


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of pod calls another, by the labels of both."""

    caller: tuple[str, str]
    callee: tuple[str, str]
    port: int


def lines() -> tuple[Line, ...]:
    """Return who has to reach whom (docs/architecture.md)."""
    envoy, edge, nats = (NAME, "envoy"), (NAME, "edge"), (NAME, "nats")
    price_svc, order_svc, exchange_gw = (NAME, "price-svc"), (NAME, "order-svc"), (NAME, "exchange-gw")
    orders, prices, redis = ("app", "orders-mongo-svc"), ("app", "prices-mongo-svc"), (NAME, "redis")
    return (
        Line(envoy, edge, services.port("edge")),
        *(Line(caller, price_svc, services.port("price_svc")) for caller in (envoy, edge)),
        *(Line(caller, order_svc, services.port("order_svc")) for caller in (envoy, edge)),
        *(Line(caller, nats, 4222) for caller in (edge, price_svc, order_svc, exchange_gw)),
        *(Line(caller, orders, 27017) for caller in (order_svc, exchange_gw, orders)),
        *(Line(caller, prices, 27017) for caller in (price_svc, prices)),
        Line(order_svc, redis, 6379),
        Line(edge, redis, 6379),
        Line(nats, nats, 6222),
    )


def judge(objects: list[Tree]) -> Iterator[str]:
    """Yield every line that the policies cut, and every one that they leave open although nobody needs it."""
    policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
    for direction in ("Ingress", "Egress"):
        if not any(_denies(policy["spec"], direction) for policy in policies):
            yield f"no policy denies {direction.lower()} by default"
    needed = set(lines())
    ends = {end for line in needed for end in (line.caller, line.callee)}
    ports = {(line.callee, line.port) for line in needed}
    for caller in sorted(ends):
        for callee, port in sorted(ports):
            line = Line(caller, callee, port)
            out, into = _allows(policies, line, "Egress"), _allows(policies, line, "Ingress")
            if line in needed and not out:
                yield f"{caller[1]} may not call {callee[1]}:{port}"
            if line in needed and not into:
                yield f"{callee[1]}:{port} takes no calls of {caller[1]}"
            if line not in needed and out and into:
                yield f"{caller[1]} can reach {callee[1]}:{port} and has no business there"


def _allows(policies: list[Tree], line: Line, direction: str) -> bool:
    own, other = (line.caller, line.callee) if direction == "Egress" else (line.callee, line.caller)
    peers = "to" if direction == "Egress" else "from"
    for policy in policies:
        spec = policy["spec"]
        if direction not in spec["policyTypes"] or not _selects(spec["podSelector"], own):
            continue
        for rule in spec.get(direction.lower(), ()):
            if line.port not in {port["port"] for port in rule.get("ports", ())}:
                continue
            sides = rule.get(peers)
            if sides is None or any(_names(side, other) for side in sides):
                return True
    return False


def _denies(spec: Tree, direction: str) -> bool:
    return spec["podSelector"] == {} and direction in spec["policyTypes"] and not spec.get(direction.lower())


def _names(side: Tree, label: tuple[str, str]) -> bool:
    return "podSelector" in side and "namespaceSelector" not in side and _selects(side["podSelector"], label)


def _selects(selector: Tree, label: tuple[str, str]) -> bool:
    """Tell whether a selector takes a pod that carries this label (and those that all our pods carry)."""
    key, value = label
    for name, wanted in selector.get("matchLabels", {}).items():
        if name != key or wanted != value:
            return False
    for rule in selector.get("matchExpressions", ()):
        if rule["operator"] != "In" or rule["key"] != key or value not in rule["values"]:
            return False
    return True
