"""Why the edge itself refuses: limits and overload. Nothing was executed, and all of them pass."""

from runtime.errors import ResourceExhausted


class TooManyConnections(ResourceExhausted):
    """The process, the address or the account (`scope`) has as many sockets as it may."""

    reason = "TOO_MANY_CONNECTIONS"


class RateLimited(ResourceExhausted):
    """The account sends more than its limit (`scope`: messages, orders, subscriptions)."""

    reason = "RATE_LIMITED"


class Overloaded(ResourceExhausted):
    """Too many requests are under way in this process, or this one waited longer than it may take."""

    reason = "OVERLOADED"
