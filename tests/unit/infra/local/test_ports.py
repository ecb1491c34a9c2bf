"""Tests of infra/local/ports.py: a port that is taken is named with what moves it."""

import os
import socket
import struct
import sys
import threading

import pytest

from infra.local import ready
from infra.local.part import Part, Port
from infra.local.ports import conflicts, free_ports


def a_part(port: int) -> Part:
    check = ready.tcp("127.0.0.1", port)
    return Part(name="edge", command=(), ready=check, ports=(Port(number=port, setting="EDGE_PORT"),))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")
def test_a_taken_port_is_told_with_its_holder_and_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        (sentence,) = conflicts([a_part(holder.getsockname()[1])])

    assert f"(process {os.getpid()}): stop that, or set EDGE_PORT" in sentence


def test_a_port_that_a_connection_holds_for_a_moment_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        # Closed at once and without a trace; else its end keeps the port for a minute more.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connect(server.getsockname())
        port = client.getsockname()[1]
        threading.Timer(0.3, client.close).start()
        with server.accept()[0]:
            assert conflicts([a_part(port)]) == []


def test_free_ports_are_different_and_not_of_the_range_for_connections() -> None:
    ports = free_ports(50)

    assert len(set(ports)) == 50
    assert max(ports) < 32_768


def test_a_free_port_is_no_conflict() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

    assert conflicts([a_part(port)]) == []
