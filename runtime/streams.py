"""The streams of the system, made at start in JetStream's own words."""

import nats.js.errors
from nats.js import JetStreamContext, api

from runtime.settings import BusLayout
from runtime.subjects import ORDER_COMMANDS, ORDER_REPORTS, STREAMS, Stream

MAX_MESSAGE_BYTES = 1 << 20
# Who is none of them (a test, a tool of an operator) brings everything up to date.
SERVICES = frozenset({"edge", "price_svc", "order_svc", "exchange_gw"})
ONE_MACHINE = BusLayout()


async def ensure_streams(jetstream: JetStreamContext, *, name: str = "", layout: BusLayout = ONE_MACHINE) -> None:
    """Make every stream of the system that does not exist, and bring up to date those that `name` owns.

    A service may not change the stream of another: with other settings its messages could be dropped or forged.
    """
    for stream in STREAMS.values():
        config = _config_of(stream, layout)
        try:
            await jetstream.add_stream(config)
        except nats.js.errors.BadRequestError:
            if name == stream.owner or name not in SERVICES:
                await jetstream.update_stream(config)


def _config_of(stream: Stream, layout: BusLayout) -> api.StreamConfig:
    prefix = stream.republish_prefix
    return api.StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        retention=api.RetentionPolicy.LIMITS,
        max_age=stream.max_age_seconds,
        max_bytes=layout.order_bytes if stream.name in (ORDER_COMMANDS, ORDER_REPORTS) else stream.max_bytes,
        num_replicas=layout.replicas,
        max_msg_size=MAX_MESSAGE_BYTES,
        storage=api.StorageType(stream.storage),
        discard=api.DiscardPolicy(stream.discard),
        max_msgs_per_subject=stream.max_per_subject,
        duplicate_window=min(stream.duplicate_window_seconds, stream.max_age_seconds),
        republish=api.RePublish(
            src=stream.subjects[0].replace("*", ">"), dest=f"{prefix}.{stream.subjects[0].replace('*', '>')}"
        )
        if prefix
        else None,
        allow_direct=True,
        allow_msg_ttl=stream.message_ttl or None,
        persist_mode=api.PersistMode.DEFAULT if stream.durable else api.PersistMode.ASYNC,
    )
