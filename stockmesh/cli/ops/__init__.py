"""`ops`: what operators see and do, through gRPC with an admin token."""

from stockmesh.cli.ops.commands import app

__all__ = ["app"]
