"""The command line `stockmesh`: prices and orders through the WebSocket, and `ops` for operators through gRPC."""

from stockmesh.cli.app import main

__all__ = ["main"]
