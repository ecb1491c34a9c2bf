"""gRPC door for operators: in, do, out."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime

from exchange_gw import wire
from exchange_gw.operations import DeadLetter, Operations
from exchange_gw.trading import TradingState
from gen.trading.v1 import exchange_pb2 as pb
from gen.trading.v1 import exchange_pb2_grpc
from runtime.auth import ADMIN, current_principal
from runtime.errors import InvalidArgument
from runtime.rpc import Context, Service

NAME = "trading.v1.ExchangeService"
DEFAULT_PAGE, MAX_PAGE = 50, 500
METHODS = (
    "GetVenueStatus",
    "GetVenueOrder",
    "Reconcile",
    "ListBreaks",
    "ListDeadLetters",
    "GetDeadLetter",
    "ReplayDeadLetter",
    "DiscardDeadLetter",
    "SetTradingState",
)


class InvalidPageSize(InvalidArgument):
    """The page size is not 0 to 500."""

    reason = "INVALID_PAGE_SIZE"


class InvalidPageToken(InvalidArgument):
    """The page token is not one of ours."""

    reason = "INVALID_PAGE_TOKEN"


class InvalidTradingState(InvalidArgument):
    """The trading state is none of ACTIVE, REDUCING and HALTED."""

    reason = "INVALID_TRADING_STATE"


def service(servicer: "ExchangeServicer") -> Service:
    """Describe the service to the server: every method is for operators."""
    return Service(
        NAME, exchange_pb2_grpc.add_ExchangeServiceServicer_to_server, servicer, dict.fromkeys(METHODS, ADMIN)
    )


class ExchangeServicer(exchange_pb2_grpc.ExchangeServiceServicer):
    """trading.v1.ExchangeService; the contract is told in protos/trading/v1/exchange.proto."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def GetVenueStatus(self, request: pb.GetVenueStatusRequest, context: Context) -> pb.GetVenueStatusResponse:
        """Return how the venue stands."""
        status = self._operations.status()
        return pb.GetVenueStatusResponse(
            sessions=[wire.session_to_proto(state) for state in status.sessions],
            trading_state=wire.permission_to_proto(status.permission),
            feed_age_ms=status.feed_age_ms,
            instruments=status.instruments,
            unanswered_orders=status.unanswered,
        )

    async def GetVenueOrder(self, request: pb.GetVenueOrderRequest, context: Context) -> pb.GetVenueOrderResponse:
        """Return what the venue says of an order."""
        execution, row = await self._operations.venue_order(request.order_id)
        return pb.GetVenueOrderResponse(
            exchange_order_id=execution.exchange_order_id,
            ord_status=execution.status.value,
            filled_quantity=execution.cumulative_quantity,
            leaves_quantity=execution.leaves_quantity,
            journal=wire.row_to_proto(row) if row else None,
        )

    async def Reconcile(self, request: pb.ReconcileRequest, context: Context) -> pb.ReconcileResponse:
        """Compare the journal with the venue's books."""
        found = await self._operations.reconcile(actor=current_principal().subject, why=request.reason)
        return pb.ReconcileResponse(
            compared=found.compared,
            recovered=found.recovered,
            breaks=[wire.break_to_proto(one) for one in found.breaks],
        )

    async def ListBreaks(self, request: pb.ListBreaksRequest, context: Context) -> pb.ListBreaksResponse:
        """Return a page of breaks."""
        most = _page_size(request.page_size)
        found = await self._operations.breaks(before=_place_from(request.page_token), most=most + 1)
        page = found[:most]
        return pb.ListBreaksResponse(
            breaks=[wire.break_to_proto(one) for one in page],
            next_page_token=_place_token(page[-1].create_time, page[-1].break_id) if len(found) > most else "",
        )

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Context) -> pb.ListDeadLettersResponse:
        """Return a page of dead letters, without their bytes."""
        most = _page_size(request.page_size)
        below = _letter_id(request.page_token) if request.page_token else None
        if below == 0:
            raise InvalidPageToken("the page token is not one of ours", field="page_token")
        found = await self._operations.dead_letters(below=below, most=most + 1)
        page = found[:most]
        return pb.ListDeadLettersResponse(
            dead_letters=[_letter_to_proto(letter) for letter in page],
            next_page_token=str(page[-1].letter_id) if len(found) > most else "",
        )

    async def GetDeadLetter(self, request: pb.GetDeadLetterRequest, context: Context) -> pb.GetDeadLetterResponse:
        """Return a dead letter with its bytes."""
        letter = await self._operations.dead_letter(_letter_id(request.dead_letter_id))
        return pb.GetDeadLetterResponse(dead_letter=_letter_to_proto(letter, payload=letter.payload))

    async def ReplayDeadLetter(
        self, request: pb.ReplayDeadLetterRequest, context: Context
    ) -> pb.ReplayDeadLetterResponse:
        """Put a dead letter back."""
        letter = await self._operations.replay(
            _letter_id(request.dead_letter_id), actor=current_principal().subject, why=request.reason
        )
        return pb.ReplayDeadLetterResponse(dead_letter=_letter_to_proto(letter))

    async def DiscardDeadLetter(
        self, request: pb.DiscardDeadLetterRequest, context: Context
    ) -> pb.DiscardDeadLetterResponse:
        """Drop a dead letter."""
        letter = await self._operations.discard(
            _letter_id(request.dead_letter_id), actor=current_principal().subject, why=request.reason
        )
        return pb.DiscardDeadLetterResponse(dead_letter=_letter_to_proto(letter))

    async def SetTradingState(self, request: pb.SetTradingStateRequest, context: Context) -> pb.SetTradingStateResponse:
        """Allow something else to be sent."""
        try:
            state = TradingState(pb.TradingState.State.Name(request.state))
        except ValueError:
            raise InvalidTradingState("state must be ACTIVE, REDUCING or HALTED", field="state") from None
        permission = await self._operations.set_trading_state(
            state, actor=current_principal().subject, why=request.reason
        )
        return pb.SetTradingStateResponse(trading_state=wire.permission_to_proto(permission))


def _page_size(asked: int) -> int:
    if not 0 <= asked <= MAX_PAGE:
        raise InvalidPageSize(f"page_size must be 0 to {MAX_PAGE}", field="page_size", limit=MAX_PAGE, actual=asked)
    return asked or DEFAULT_PAGE


def _letter_id(text: str) -> int:
    """Return the number that a letter's id is; 0, which no letter has, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0  # noqa: PLR2004 - digits of 2^63


def _letter_to_proto(letter: DeadLetter, *, payload: bytes = b"") -> pb.DeadLetter:
    return pb.DeadLetter(
        dead_letter_id=str(letter.letter_id),
        stream=letter.stream,
        subject=letter.subject,
        reason=letter.reason,
        detail=letter.detail,
        order_id=letter.order_id,
        deliveries=letter.deliveries,
        create_time=wire.timestamp(letter.time),
        payload=payload,
    )


def _place_token(time: datetime, break_id: str) -> str:
    return urlsafe_b64encode(f"{int(time.timestamp() * 1000)} {break_id}".encode()).decode()


def _place_from(token: str) -> tuple[datetime, str] | None:
    if not token:
        return None
    try:
        milliseconds, _, break_id = urlsafe_b64decode(token).decode().partition(" ")
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC), break_id
    except (ValueError, OverflowError, OSError):
        raise InvalidPageToken("the page token is not one of ours", field="page_token") from None
