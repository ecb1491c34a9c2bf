"""What passes between members and the exchange, as the fault script sees it. Pure."""

from infra.exchange_sim.facts import Accepted, AnyFact, Canceled, Expired, Filled, Rejected, Replaced
from infra.exchange_sim.faults import Event, Kind
from infra.exchange_sim.order import Order
from infra.exchange_sim.reports import CancelRefusal, Execution, Report, Status
from infra.exchange_sim.requests import CancelRequest, NewOrder, ReplaceRequest

Request = NewOrder | CancelRequest | ReplaceRequest

_FACT_KINDS: dict[type[AnyFact], Kind] = {
    Accepted: Kind.ACCEPTED,
    Filled: Kind.FILL,
    Canceled: Kind.CANCELED,
    Replaced: Kind.REPLACED,
    Rejected: Kind.REJECTED,
    Expired: Kind.EXPIRED,
}


def event_of_request(request: Request, order: Order | None) -> Event:
    """Return what a request is to the script; `order` is the one that it is about."""
    if isinstance(request, NewOrder):
        return Event(Kind.NEW, request.cl_ord_id, request.symbol, request.side, request.account)
    kind = Kind.REPLACE if isinstance(request, ReplaceRequest) else Kind.CANCEL
    return _about(kind, request.cl_ord_id, order)


def event_of_report(report: Report) -> Event | None:
    """Return what a report is to the script; None for what no rule is about: parts of long answers."""
    match report:
        case Execution(fact=fact):
            return Event(_FACT_KINDS[type(fact)], fact.cl_ord_id, fact.symbol, fact.side, fact.account)
        case CancelRefusal():
            return _about(Kind.REFUSED, report.cl_ord_id, report.order)
        case Status(part=None) if report.order is not None:
            return _about(Kind.STATUS, report.cl_ord_id, report.order)
        case _:
            return None


def _about(kind: Kind, key: str, order: Order | None) -> Event:
    return Event(kind, key, order.symbol, order.side, order.account) if order else Event(kind, key)
