"""Answers every call of every session, also when something fails: the table of all methods, and what the edge does itself."""

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge import params as p
from edge import replies
from edge.accounts import Accounts
from edge.figures import Figures
from edge.following import FollowingOrders
from edge.frames import APPLICATION_ERROR, INTERNAL_ERROR, METHOD_NOT_FOUND, Call, Fault
from edge.methods import Request, Served, order_methods, price_methods, price_page
from edge.reads import READ_SECONDS, PriceReads
from edge.rendering import now_text, timestamp_text
from edge.replies import Done
from edge.room import Rank, Room
from edge.session import Answer, Identity, Response, Session
from edge.watching import Watching
from runtime import logs
from runtime.auth import TokenVerifier
from runtime.errors import Kind, TradingError, Unavailable

if TYPE_CHECKING:
    from gen.trading.v1.order_pb2_grpc import OrderServiceAsyncStub
    from gen.trading.v1.price_pb2_grpc import PriceServiceAsyncStub

# Under this word calls are counted whose method does not exist.
NO_METHOD = "unknown"

logger = logs.get_logger("edge.commands")


class ShuttingDown(Unavailable):
    """This process stops and did not execute the request. Connect again and ask again."""

    reason = "SHUTTING_DOWN"


class Commands:
    """The methods of the protocol."""

    def __init__(
        self,
        *,
        price_service: "PriceServiceAsyncStub",
        order_service: "OrderServiceAsyncStub",
        reads: PriceReads,
        watching: Watching,
        following: FollowingOrders,
        verifier: TokenVerifier,
        accounts: Accounts,
        room: Room,
        figures: Figures,
        limits: dict[str, float],
    ) -> None:
        """`limits` is what a client is told of its limits when it authenticates."""
        self._accounts, self._room, self._figures, self._limits = accounts, room, figures, limits
        self._reads, self._watching, self._following, self._verifier = reads, watching, following, verifier
        self._price_page = price_page(price_service)
        self._numbers = itertools.count(1)
        self._methods = {
            "session.authenticate": Served(p.reader(p.Authenticate), self._authenticate, is_open=True),
            "ping": Served(p.reader(p.NoParams), self._ping, is_open=True),
            "prices.get": Served(p.reader(p.GetPrices), self._get_prices),
            "prices.subscribe": Served(p.reader(p.Subscribe), self._subscribe_prices),
            "prices.unsubscribe": Served(p.reader(p.Unsubscribe), self._unsubscribe_prices),
            "orders.subscribe": Served(p.reader(p.FollowOrders), self._subscribe_orders, rank=Rank.STATUS),
            "orders.unsubscribe": Served(p.reader(p.NoParams), self._unsubscribe_orders),
            **price_methods(price_service),
            **order_methods(order_service),
        }

    async def answer(self, session: Session, call: Call, received: float) -> Answer:
        """Return the response to one call, whatever happens; it came at `received` (seconds of the loop)."""
        served = self._methods.get(call.method)
        if call.id is None:
            return await self._notified(session, call, served, received)
        if served is None:
            problem = f"there is no method {call.method[:64]!r}"
            self._count(NO_METHOD, METHOD_NOT_FOUND, received)
            return Answer(replies.fault(call.id, Fault(METHOD_NOT_FOUND, "METHOD_NOT_FOUND", problem)))
        code, answer = await self._answer(session, call, call.id, served, received)
        self._count(call.method, code, received)
        return answer

    async def _answer(
        self, session: Session, call: Call, identity: bytes, served: Served, received: float
    ) -> tuple[int, Answer]:
        request_id = f"{session.id}-{next(self._numbers)}"
        try:
            done = await self._run(session, call, served, request_id, received)
        except Fault as fault:
            return fault.code, Answer(replies.fault(identity, fault))
        except TradingError as error:
            details = {"requestId": request_id} if error.kind is Kind.INTERNAL else {}
            refusal = replies.refusal(identity, error, has_effect=served.has_effect, **details)
            return APPLICATION_ERROR, Answer(refusal)
        except Exception as error:
            logger.error("request broke", method=call.method, request_id=request_id, exc_info=error)
            return INTERNAL_ERROR, Answer(replies.internal(identity, request_id=request_id))
        return 0, Answer(_response(identity, done.result), done.then)

    def _count(self, method: str, code: int, received: float) -> None:
        self._figures.answered(method, code, asyncio.get_running_loop().time() - received)

    async def _notified(self, session: Session, call: Call, served: Served | None, received: float) -> Answer:
        # Nobody would learn what became of an order that was sent without an id.
        if served is None or call.method.startswith("orders."):
            return Answer(None)
        _, answer = await self._answer(session, call, b"null", served, received)
        return Answer(None, answer.then)

    async def _run(self, session: Session, call: Call, served: Served, request_id: str, received: float) -> Done:
        if served.rank is None:
            return await self._serve(session, call, served, request_id, received)
        with self._room.held(served.rank):
            return await self._serve(session, call, served, request_id, received)

    async def _serve(self, session: Session, call: Call, served: Served, request_id: str, received: float) -> Done:
        request = Request(session, served.read(call.params), request_id, received)
        if session.is_leaving:
            raise ShuttingDown("this server stops, connect again", retry_after_seconds=1.0)
        if not served.is_open:
            identity = request.identity
            if served.is_order and session.budget is not None:
                named = getattr(request.params, "account_id", None) or ""
                self._accounts.order(session.budget, identity.principal.accounts, named)
        return await served.run(request)

    def leave(self, session: Session) -> None:
        """Forget a session that is over."""
        self._watching.leave(session)
        self._following.leave(session)

    async def _authenticate(self, request: Request) -> Done:
        token = request.params.token
        principal = await self._verifier.identify(token)
        identity = Identity(principal, token)
        request.session.check(identity)
        await self._accounts.enter(request.session.socket, principal)
        # It may have been revoked while a place was looked for.
        self._verifier.verify(token)
        request.session.admit(identity)
        told = {
            "subject": principal.subject,
            "accounts": principal.accounts,
            "scopes": sorted(principal.scopes),
            "expireTime": timestamp_text(principal.expires_at, 0),
            "limits": self._limits,
        }
        return Done(replies.encode(told))

    async def _ping(self, request: Request) -> Done:
        return Done(replies.encode({"time": now_text()}))

    async def _get_prices(self, request: Request) -> Done:
        asked = request.params
        symbols = [*(asked.symbols or ()), *([asked.symbol] if asked.symbol else [])]
        if not symbols:
            return await self._price_page(request)
        request.left(READ_SECONDS)
        latest = await self._reads.latest(symbols)
        texts = b",".join(price.text for price in latest.of(symbols))
        return Done(b'{"prices":[%b],"nextPageToken":""}' % texts)

    async def _subscribe_prices(self, request: Request) -> Done:
        return await self._watching.subscribe(request.session, request.params)

    async def _unsubscribe_prices(self, request: Request) -> Done:
        return await self._watching.unsubscribe(request.session, request.params)

    async def _subscribe_orders(self, request: Request) -> Done:
        return await self._following.subscribe(request.session, request.identity, request.params, request.id)

    async def _unsubscribe_orders(self, request: Request) -> Done:
        return await self._following.unsubscribe(request.session)


def _response(identity: bytes, result: bytes | Callable[[], bytes]) -> Response:
    if callable(result):
        return lambda: replies.result(identity, result())
    return replies.result(identity, result)
