"""The Python client of stockmesh: live prices and orders over one WebSocket. `stockmesh.cli` is the command line on top of it."""

from stockmesh.client import Client
from stockmesh.errors import (
    CannotConnect,
    ConnectionLost,
    FellBehind,
    NoAnswer,
    Outcome,
    Refused,
    Retry,
    SessionClosed,
    StockmeshError,
    UnexpectedAnswer,
)
from stockmesh.following import OrderUpdates
from stockmesh.watching import PriceWatch

__all__ = [
    "CannotConnect",
    "Client",
    "ConnectionLost",
    "FellBehind",
    "NoAnswer",
    "OrderUpdates",
    "Outcome",
    "PriceWatch",
    "Refused",
    "Retry",
    "SessionClosed",
    "StockmeshError",
    "UnexpectedAnswer",
]
