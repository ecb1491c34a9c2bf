"""CPU that each process of the system spends on an order."""

import os
from collections.abc import Sequence

import psutil

from infra.local.running import System

PARTS = ("order_svc", "exchange_gw", "orders_mongo", "nats", "exchange_sim", "price_svc")


class Processes:
    """The parts on an order's way, and this program, which is on the same cores."""

    def __init__(self, system: System, parts: Sequence[str] = PARTS) -> None:
        self._processes = {name: psutil.Process(system.pid(name)) for name in parts}
        self._processes["bench"] = psutil.Process(os.getpid())
        self._before: dict[str, float] = {}

    def start(self) -> None:
        """Count from now on."""
        self._before = {name: _seconds(process) for name, process in self._processes.items()}

    def row(self, orders: int) -> dict[str, object]:
        """Return milliseconds of CPU an order, for each process and in all."""
        spent = {name: _seconds(process) - self._before[name] for name, process in self._processes.items()}
        each = {f"{name} ms": round(seconds * 1000 / max(orders, 1), 2) for name, seconds in spent.items()}
        return {**each, "CPU ms": round(sum(spent.values()) * 1000 / max(orders, 1), 1)}


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
