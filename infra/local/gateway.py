"""The public gateway as a part: its configuration rendered for this machine, and the check that it is a valid one."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import gen
import infra
from infra.local import known_fields, programs, ready
from infra.local.part import Part, Port
from infra.local.settings import LocalSettings, reachable

TEMPLATE = Path(infra.__file__).parent / "envoy" / "envoy.yaml"
DESCRIPTORS = Path(gen.__file__).with_name("trading.binpb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """Addresses (`host:port`) of the replicas behind the gateway; a name may stand for several of them."""

    edge: Sequence[str]
    price_svc: Sequence[str]
    order_svc: Sequence[str]


def backends(settings: LocalSettings) -> Backends:
    """Return what the settings name (ENVOY_EDGE and so on, separated by commas), else the services of this machine."""
    return Backends(
        edge=_listed(settings.envoy_edge) or settings.addresses_of("edge"),
        price_svc=_listed(settings.envoy_price_svc) or settings.addresses_of("price_svc"),
        order_svc=_listed(settings.envoy_order_svc) or settings.addresses_of("order_svc"),
    )


def render(settings: LocalSettings, folder: Path) -> Path:
    """Write the gateway's configuration into the folder and return its path."""
    script = folder / "known_fields.lua"
    behind = backends(settings)
    words = {
        "HOST": settings.envoy_host,
        "PORT": settings.envoy_port,
        "ADMIN_PORT": settings.envoy_admin_port,
        "EDGE": endpoints(behind.edge),
        "PRICE_SVC": endpoints(behind.price_svc),
        "ORDER_SVC": endpoints(behind.order_svc),
        "DESCRIPTORS": DESCRIPTORS,
        "KNOWN_FIELDS": script,
    }
    folder.mkdir(parents=True, exist_ok=True)
    script.write_text(known_fields.render(), encoding="utf-8")
    configuration = folder / "envoy.yaml"
    configuration.write_text(Template(TEMPLATE.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    return configuration


def _listed(given: str | None) -> Sequence[str]:
    return [address.strip() for address in (given or "").split(",") if address.strip()]


def endpoints(addresses: Sequence[str]) -> str:
    """Return the addresses as the list of endpoints that a cluster has; JSON is YAML, too."""
    split = (address.rpartition(":") for address in addresses)
    return json.dumps(
        [
            {"endpoint": {"address": {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}}}
            for host, _, port in split
        ]
    )


def gateway(settings: LocalSettings, folder: Path) -> Part | None:
    """Return the gateway as a part; None where this machine has no Envoy."""
    program = programs.envoy()
    if program is None:
        return None
    configuration = render(settings, folder)
    return Part(
        name="envoy",
        command=(
            *(program, "--config-path", str(configuration), "--log-level", "warning"),
            # Two systems on one machine must not share Envoy's shared memory; one worker serves a laptop.
            *("--use-dynamic-base-id", "--concurrency", "1"),
        ),
        needs=frozenset({"edge", "price_svc", "order_svc"}),
        ready=ready.http(reachable(settings.envoy_host), settings.envoy_port, "/marketStatus"),
        ports=(
            Port(number=settings.envoy_port, setting="ENVOY_PORT"),
            Port(number=settings.envoy_admin_port, setting="ENVOY_ADMIN_PORT"),
        ),
        stop_seconds=5.0,
    )


def main() -> int:
    """Validate the configuration as the defaults render it: `python -m infra.local.gateway <folder>`. Returns Envoy's status."""
    program = programs.envoy()
    if program is None:
        sys.stdout.write("no Envoy on this machine: its configuration is not checked here\n")
        return 0
    configuration = render(LocalSettings(), Path(sys.argv[1]))
    command = (program, "--mode", "validate", "--config-path", str(configuration), "--log-level", "error")
    return subprocess.run(command, check=False).returncode  # noqa: S603 - our own table


if __name__ == "__main__":
    sys.exit(main())
