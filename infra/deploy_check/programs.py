"""Configurations that only their own programs can judge: the broker's, the gateway's, and Prometheus' where it is installed."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.container import gateway
from infra.deploy_check.documents import INFRA, short
from infra.local.programs import find
from infra.local.servers import NATS_CONFIGURATION
from infra.local.settings import LocalSettings

NATS = {
    NATS_CONFIGURATION: {"NATS_PORT": "14222", "NATS_MONITOR_PORT": "18222", "NATS_STORE": '"/tmp/nats"'},
    INFRA / "compose" / "nats-server.conf": {},
}
OBSERVABILITY = INFRA / "observability"
SECONDS = 30.0
OPTIONAL = ("hadolint", "promtool", "envoy", "nats-server")


def problems() -> Iterator[str]:
    """Yield what the programs say against their configurations."""
    for configuration, environment in NATS.items():
        yield from _judge(short(configuration), ["nats-server", "-t", "-c", str(configuration)], environment)
    with TemporaryDirectory() as folder:
        main, figures = gateway.write(_in_container(), Path(folder))
        added = figures.read_text(encoding="utf-8")
        yield from _judge(
            "the gateway in its container",
            ["envoy", "--mode", "validate", "--config-path", str(main), "--config-yaml", added, "--log-level", "error"],
            {},
        )
    yield from _judge(short(OBSERVABILITY), ["promtool", "check", "rules", str(OBSERVABILITY / "alerts.yml")], {})
    yield from _judge(short(OBSERVABILITY), ["promtool", "test", "rules", str(OBSERVABILITY / "alerts_test.yml")], {})
    yield from _judge(
        short(OBSERVABILITY),
        ["promtool", "check", "config", "--syntax-only", str(OBSERVABILITY / "prometheus.yml")],
        {},
    )


def missing() -> list[str]:
    """Return the programs that are not on this machine."""
    return [name for name in OPTIONAL if find(name) is None]


def _in_container() -> LocalSettings:
    every_address = "0.0.0.0"  # noqa: S104 - in a container, behind its network
    return LocalSettings(
        envoy_host=every_address, edge_host="edge", price_svc_host="price-svc", order_svc_host="order-svc"
    )


def _judge(what: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[str]:
    program = find(command[0])
    if program is None:
        return
    ran = subprocess.run(  # noqa: S603 - our own words
        [program, *command[1:]],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if ran.returncode:
        yield f"{what}: {' '.join((ran.stderr or ran.stdout).split())[:400]}"
