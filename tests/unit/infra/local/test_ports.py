"""Tests of infra/local/ports.py: a port that is taken is named with what moves it."""

import os
import socket
import sys

import pytest

from infra.local import ready
from infra.local.part import Part, Port
from infra.local.ports import conflicts


def a_part(port: int) -> Part:
    check = ready.tcp("127.0.0.1", port)
    return Part(name="edge", command=(), ready=check, ports=(Port(number=port, setting="EDGE_PORT"),))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")
def test_a_taken_port_is_told_with_its_holder_and_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        (sentence,) = conflicts([a_part(holder.getsockname()[1])])

    assert f"(process {os.getpid()}): stop that, or set EDGE_PORT" in sentence


def test_a_free_port_is_no_conflict() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

    assert conflicts([a_part(port)]) == []
