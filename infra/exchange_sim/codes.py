"""FIX's letters for what an order is, shared by all messages about orders."""

from infra.exchange_sim.facts import (
    Accepted,
    Canceled,
    Expired,
    Filled,
    OrderType,
    Rejected,
    Replaced,
    Side,
    TimeInForce,
)
from infra.exchange_sim.order import State

SIDES = {"1": Side.BUY, "2": Side.SELL}
TYPES = {"1": OrderType.MARKET, "2": OrderType.LIMIT}
TIMES_IN_FORCE = {"0": TimeInForce.DAY, "1": TimeInForce.GTC, "3": TimeInForce.IOC, "4": TimeInForce.FOK}
SIDE_CODES = {side: code for code, side in SIDES.items()}
TYPE_CODES = {kind: code for code, kind in TYPES.items()}
TIME_IN_FORCE_CODES = {kind: code for code, kind in TIMES_IN_FORCE.items()}
STATE_CODES = {
    State.NEW: "0",
    State.PARTIALLY_FILLED: "1",
    State.FILLED: "2",
    State.CANCELED: "4",
    State.REJECTED: "8",
    State.EXPIRED: "C",
}
EXEC_TYPES = {Accepted: "0", Canceled: "4", Replaced: "5", Rejected: "8", Expired: "C", Filled: "F"}
