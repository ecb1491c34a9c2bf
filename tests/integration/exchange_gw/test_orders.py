"""An order's way through the gateway, with everything well."""

from datetime import UTC, datetime, timedelta

from tests.eventually import eventually
from tests.integration.exchange_gw.venue import World, a_command, a_moment, market


async def test_a_market_order_is_placed_and_filled(steady_world: World) -> None:
    command = market()

    await steady_world.say(command)
    await steady_world.until(command.order_id, "PLACED", "FILL")

    fill = steady_world.report(command.order_id, "FILL")
    assert fill.exec_id
    assert fill.last_price_micros > 0
    assert sum(one.last_quantity for one in steady_world.reports if one.exec_id) == 10
    assert (fill.account_id, fill.client_order_id) == ("demo", command.client_order_id)
    assert steady_world.report(command.order_id, "PLACED").exchange_order_id


async def test_a_resting_order_is_canceled_at_the_venue(steady_world: World) -> None:
    command = a_command()
    await steady_world.say(command)
    await steady_world.until(command.order_id, "PLACED")

    await steady_world.say(a_command("CANCEL", command.order_id))
    await steady_world.until(command.order_id, "CANCELED")

    assert steady_world.report(command.order_id, "CANCELED").reason.code == "CANCELED_BY_USER"
    assert steady_world.ledger(command.order_id) == ["accepted", "canceled"]


async def test_a_cancel_before_its_order_keeps_the_order_from_ever_being_sent(steady_world: World) -> None:
    command = a_command()
    await steady_world.say(a_command("CANCEL", command.order_id))
    await steady_world.until(command.order_id, "CANCELED")

    await steady_world.say(command)
    await a_moment()

    assert steady_world.kinds(command.order_id) == ["CANCELED"]
    assert steady_world.report(command.order_id, "CANCELED").reason.code == "CANCELED_UNSENT"
    assert steady_world.ledger(command.order_id) == []


async def test_a_late_order_expires_unsent(steady_world: World) -> None:
    command = a_command(submit_by=datetime.now(UTC) - timedelta(seconds=1))

    await steady_world.say(command)
    await steady_world.until(command.order_id, "EXPIRED")

    assert steady_world.kinds(command.order_id) == ["EXPIRED"]
    assert steady_world.report(command.order_id, "EXPIRED").reason.code == "EXPIRED_UNSENT"
    assert steady_world.ledger(command.order_id) == []


async def test_an_order_said_twice_is_accepted_once(steady_world: World) -> None:
    command = a_command()

    for _ in range(3):
        await steady_world.say(command)
    await steady_world.until(command.order_id, "PLACED")
    await a_moment()

    assert steady_world.ledger(command.order_id) == ["accepted"]
    assert steady_world.kinds(command.order_id) == ["PLACED"]


async def test_the_first_fact_carries_the_hops_of_its_submission(steady_world: World) -> None:
    command, committed = a_command(), datetime.now(UTC)

    await steady_world.say(command, committed=committed)
    await steady_world.until(command.order_id, "PLACED")

    [first, *others] = [one for one in steady_world.reports if one.order_id == command.order_id]
    hops = [first.commit_time, first.publish_time, first.intent_time, first.send_time, first.gateway_time]
    times = [hop.ToDatetime(UTC) for hop in hops]
    assert times[0] == committed
    assert times[:4] == sorted(times[:4])
    assert not any(other.HasField("send_time") for other in others)


async def test_an_order_is_replaced_and_then_canceled_under_its_new_name(steady_world: World) -> None:
    command = a_command()
    await steady_world.say(command)
    await steady_world.until(command.order_id, "PLACED")

    await steady_world.say(
        a_command("REPLACE", command.order_id, replace_number=1, quantity=7, limit_price_micros=2_000_000)
    )
    await steady_world.until(command.order_id, "REPLACED")
    await steady_world.say(a_command("CANCEL", command.order_id, active_number=1))
    await steady_world.until(command.order_id, "CANCELED")

    replaced = steady_world.report(command.order_id, "REPLACED")
    assert (replaced.new_quantity, replaced.new_limit_price_micros, replaced.replace_number) == (7, 2_000_000, 1)
    assert replaced.command_id == f"{command.order_id}:replace"


async def test_a_refused_cancel_names_its_command(steady_world: World) -> None:
    command = market()
    await steady_world.say(command)
    await steady_world.until(command.order_id, "FILL")

    await steady_world.say(a_command("CANCEL", command.order_id, exchange_order_id="X"))
    await steady_world.until(command.order_id, "CANCEL_REJECTED")

    refused = steady_world.report(command.order_id, "CANCEL_REJECTED")
    assert (refused.reason.code, refused.command_id) == ("TOO_LATE", f"{command.order_id}:cancel")


async def test_the_venue_rejects_what_it_does_not_trade(steady_world: World) -> None:
    command = a_command(symbol="NOSUCH")

    await steady_world.say(command)
    await steady_world.until(command.order_id, "REJECTED")

    assert steady_world.report(command.order_id, "REJECTED").reason.code == "UNKNOWN_SYMBOL"


async def test_a_query_is_answered_with_what_is_proved(steady_world: World) -> None:
    command = a_command()
    await steady_world.say(command)
    await steady_world.until(command.order_id, "PLACED")
    steady_world.reports.clear()

    await steady_world.say(a_command("QUERY", command.order_id))
    await steady_world.until(command.order_id, "PLACED")

    assert steady_world.kinds(command.order_id) == ["PLACED"]


async def test_ticks_flow_with_one_epoch_and_growing_numbers(steady_world: World) -> None:
    async def enough() -> bool:
        return len(steady_world.ticks) > 600

    await eventually(enough)

    assert len({tick.epoch for tick in steady_world.ticks}) == 1
    first = steady_world.ticks[0]
    assert first.epoch > 0
    last: dict[str, int] = {}
    for tick in steady_world.ticks:
        assert tick.seq > last.get(tick.symbol, 0) or tick.snapshot
        last[tick.symbol] = tick.seq
    assert any(tick.snapshot and tick.previous_close_micros for tick in steady_world.ticks)
    assert any(
        not tick.snapshot and tick.price_micros and tick.bid_micros < tick.ask_micros for tick in steady_world.ticks
    )
