"""Figures of a process for Prometheus: one registry for each process, and the small door `/metrics`."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

# Upper bounds in seconds for times that should be a few milliseconds.
FAST_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


def open_registry(service: str) -> CollectorRegistry:
    """Return a registry that knows the process itself: who it is, CPU, memory, open files, garbage collection."""
    # When a counter was made nobody asks, and it would be told beside each.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    Info("stockmesh_build", "Which release of which service this process runs.", registry=registry).info(
        {"service": service, "version": _version()}
    )
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _version() -> str:
    try:
        return version("stockmesh")
    except PackageNotFoundError:
        return "unknown"


@contextmanager
def serve_metrics(registry: CollectorRegistry, *, host: str, port: int) -> Iterator[None]:
    """Answer `GET /metrics` at an address of this machine inside the block; port 0 means not at all. Raises OSError if it is taken.

    It answers from a thread of its own, so that a busy event loop can still be looked at.
    """
    if not port:
        yield
        return
    server, thread = start_http_server(port, host, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
