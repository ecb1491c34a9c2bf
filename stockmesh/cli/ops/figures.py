"""What a process says of itself at /metrics."""

import asyncio
import http.client
from dataclasses import dataclass
from functools import partial

from prometheus_client.parser import text_string_to_metric_families

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one process; `values` are those without labels, `version` its release."""

    address: str
    version: str
    values: dict[str, float]


async def read(address: str) -> Figures | None:
    """Return the figures of the process that answers there; None when nobody does."""
    try:
        text = await asyncio.get_running_loop().run_in_executor(None, partial(_get, address))
        return _parsed(address, text)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def _get(address: str) -> str:
    connection = http.client.HTTPConnection(address, timeout=SECONDS)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _parsed(address: str, text: str) -> Figures:
    version, values = "", {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not sample.labels:
                values[sample.name] = sample.value
            version = sample.labels.get("version", "") if sample.name == "stockmesh_build_info" else version
    return Figures(address, version, values)
