"""Asks the part that runs in this container whether it serves: `python -m infra.container.probe`. Exit 0 means yes.

Which part that is, is read from the command of process 1; where it listens, from the same variables that it reads. Light on
purpose: it runs every few seconds beside every part.
"""

import os
import socket
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path

SECONDS = 3.0
# Module, then the prefix of its settings, its port when nothing is set, and the gRPC service or the page that tells.
PARTS = {
    "edge": ("EDGE", 8081, "/healthz"),
    "price_svc": ("PRICE_SVC", 50051, "trading.v1.PriceService"),
    "order_svc": ("ORDER_SVC", 50052, "trading.v1.OrderService"),
    "exchange_gw": ("EXCHANGE_GW", 50053, "trading.v1.ExchangeService"),
    "infra.exchange_sim": ("EXCHANGE_SIM", 19878, ""),
}
OK = 200


class NotServing(Exception):
    """The part does not serve; the text says why."""


def main() -> int:
    """Ask, and say what is wrong."""
    try:
        module = running(Path("/proc/1/cmdline").read_bytes())
        host, port, sign = address(module, os.environ)
        ask(host, port, sign)
    except (NotServing, OSError, HTTPException) as error:
        sys.stderr.write(f"not serving: {str(error) or type(error).__name__}\n")
        return 1
    return 0


def running(command: bytes) -> str:
    """Return the module that a command line, as Linux shows it, runs. Raises NotServing if it is none of ours."""
    words = command.decode("utf-8", "replace").split("\0")
    for word, following in pairwise(words):
        if word == "-m" and following in PARTS:
            return following
    raise NotServing("process 1 is none of our parts")


def address(module: str, environment: Mapping[str, str]) -> tuple[str, int, str]:
    """Return where a part listens, and the gRPC service or page to ask for; neither means that listening is enough."""
    prefix, port, sign = PARTS[module]
    host = environment.get(f"{prefix}_HOST", "127.0.0.1")
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
        host = "127.0.0.1"
    return host, int(environment.get(f"{prefix}_PORT", port)), sign


def ask(host: str, port: int, sign: str) -> None:
    """Return if the part serves. Raises NotServing, OSError or HTTPException."""
    if sign.startswith("/"):
        _ask_page(host, port, sign)
    elif sign:
        _ask_rpc(host, port, sign)
    else:
        socket.create_connection((host, port), timeout=SECONDS).close()


def _ask_page(host: str, port: int, path: str) -> None:
    connection = HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != OK:
        raise NotServing(f"GET {path} was answered with {status}")


def _ask_rpc(host: str, port: int, service: str) -> None:
    import grpc  # noqa: PLC0415 - a tenth of a second that the other probes need not spend
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    with grpc.insecure_channel(f"{host}:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=SECONDS
            )
        except grpc.RpcError as error:
            raise NotServing(f"{service}: {error.code().name}") from None
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise NotServing(f"{service} says {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")


if __name__ == "__main__":
    sys.exit(main())
