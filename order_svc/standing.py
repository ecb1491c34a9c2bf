"""How an order stands towards the exchange. Pure."""

from enum import StrEnum

from order_svc.order import Order, State


class Standing(StrEnum):
    """How an order stands towards the exchange: whose turn it is to speak."""

    # Not decided yet whether it is sent: the outbox sweeper's.
    NEW = "NEW"
    # The exchange owes an answer, or said that there is more than we know.
    WAITING = "WAITING"
    # In the book; silence is what one expects.
    RESTING = "RESTING"
    # Nothing more to come.
    CLOSED = "CLOSED"


def standing_of(order: Order) -> Standing:
    """Return whose turn it is to speak."""
    if order.missing_quantity or order.doubt or order.pending or order.state is State.SUBMITTED:
        return Standing.WAITING
    if order.is_terminal:
        return Standing.CLOSED
    return Standing.NEW if order.state is State.PENDING else Standing.RESTING
