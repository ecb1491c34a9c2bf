"""Collects the evidence after a run: database, ledger, streams, dead letters, audit; and waits until nothing moves any more."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import nats.errors
import nats.js.errors
from grpc.aio import AioRpcError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pymongo.errors import PyMongoError

from gen.trading.v1 import order_pb2
from order_svc.documents import order_from
from runtime.subjects import DEAD_LETTERS, ORDER_COMMANDS, ORDER_REPORTS, ORDER_UPDATES, decode_token
from tests.faults.check_ledger import equal_to_the_exchange
from tests.faults.check_rest import nothing_stuck
from tests.faults.evidence import Evidence, Letter, Row, Said, venue_orders
from tests.faults.followers import Follower
from tests.faults.rig import Rig

LOOK_SECONDS = 0.5
# So long must everything be at rest in a row.
CALM_SECONDS = 1.5
STREAM_SECONDS = 10.0


async def rows(rig: Rig) -> list[Row]:
    """Return every order of the database. Raises PyMongoError."""
    return [_row(document) for document in await rig.orders_database["orders"].find().to_list(None)]


def _row(document: dict[str, Any]) -> Row:
    order = order_from(document)
    return Row(
        order_id=order.order_id,
        account_id=order.account_id,
        client_order_id=order.client_order_id,
        symbol=order.terms.symbol,
        side=order.terms.side.value,
        ordered=order.terms.quantity,
        ordered_price=order.terms.limit_price_micros or order.terms.collar_price_micros,
        quantity=order.quantity,
        state=order.state.value,
        pending=order.pending_action.value,
        certainty=order.certainty.value,
        reason=order.reason.code if order.reason else "",
        revision=order.revision,
        fills={fill.exec_id: (fill.quantity, fill.price_micros) for fill in order.fills},
        exchange_order_id=order.exchange_order_id,
    )


async def until_quiet(rig: Rig, accounts: Sequence[str], followers: Sequence[Follower], *, seconds: float) -> list[str]:
    """Return when nothing moves any more and we agree with the exchange, or after so long what keeps moving."""
    deadline, calm_since = time.monotonic() + seconds, 0.0
    while True:
        complaints = await _complaints(rig, accounts, followers)
        now = time.monotonic()
        if complaints:
            calm_since = 0.0
        elif not calm_since:
            calm_since = now
        elif now - calm_since >= CALM_SECONDS:
            return []
        if now > deadline:
            return complaints
        await asyncio.sleep(LOOK_SECONDS)


async def _complaints(rig: Rig, accounts: Sequence[str], followers: Sequence[Follower]) -> list[str]:
    try:
        async with asyncio.timeout(STREAM_SECONDS):
            evidence = Evidence(
                accounts=accounts,
                rows=await rows(rig),
                venue=venue_orders(rig.venue.ledger()),
                outbox=await rig.orders_database["outbox"].count_documents({}),
            )
            found = [str(one.words) for check in (nothing_stuck, equal_to_the_exchange) for one in check(evidence)]
            async with rig.broker() as broker:
                found += await _waiting_messages(broker.jetstream(timeout=3))
    except (PyMongoError, nats.errors.Error, OSError, AioRpcError) as error:
        return [f"cannot look: {error!r}"]
    for follower in followers:
        behind = [
            row.order_id
            for row in evidence.rows
            if row.account_id == follower.account and follower.revisions.get(row.order_id, 0) < row.revision
        ]
        if behind:
            found.append(f"{follower.name} has not heard the last of {len(behind)} orders: {behind[:3]}")
    return found


async def _waiting_messages(jetstream: JetStreamContext) -> list[str]:
    found = []
    for stream in (ORDER_COMMANDS, ORDER_REPORTS):
        for consumer in await jetstream.consumers_info(stream):
            waiting, unanswered = consumer.num_pending or 0, consumer.num_ack_pending or 0
            if consumer.config.durable_name and (waiting or unanswered):
                found.append(f"{consumer.name}: {waiting} messages wait, {unanswered} are not acknowledged")
    return found


async def everything(rig: Rig, accounts: Sequence[str]) -> Evidence:
    """Return the evidence of a run but for its history and what the case itself knows."""
    evidence = Evidence(
        accounts=accounts,
        rows=await rows(rig),
        venue=venue_orders(rig.venue.ledger()),
        outbox=await rig.orders_database["outbox"].count_documents({}),
        audit=[document["action"] for document in await rig.gateway_database["audit"].find().to_list(None)],
    )
    async with rig.broker() as broker:
        jetstream = broker.jetstream(timeout=5)
        created = (await broker.jetstream().stream_info(ORDER_UPDATES)).created
        evidence.stream = str(int(created.timestamp() * 1000)) if created else ""
        evidence.updates = [_said(message) for message in await read_stream(jetstream, ORDER_UPDATES)]
        evidence.letters = [_letter(message) for message in await read_stream(jetstream, DEAD_LETTERS)]
    return evidence


async def read_stream(jetstream: JetStreamContext, stream: str) -> list[Any]:
    """Return every message of a stream. Raises nats.errors.Error."""
    count = (await jetstream.stream_info(stream)).state.messages
    if not count:
        return []
    found: list[Any] = []
    # Without acknowledgements, of which only a thousand may be missing at a time.
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE, inactive_threshold=30.0)
    reader = await jetstream.pull_subscribe(">", stream=stream, config=config)
    while len(found) < count:
        found += await reader.fetch(min(count - len(found), 500), timeout=STREAM_SECONDS)
    return found


def _said(message: Any) -> Said:
    order = order_pb2.OrderUpdate.FromString(message.data).order
    return Said(order.account_id, message.metadata.sequence.stream, order.order_id, order.revision)


def _letter(message: Any) -> Letter:
    _, stream, reason = message.subject.split(".", 2)
    return Letter(stream, decode_token(reason), (message.headers or {}).get("Order-Id", ""))
